// Certificates: the TLS identities of a process's listeners, kept as their files are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/pool.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/net/tls_identity.h"
#include "common/observe/metrics.h"

namespace wherry {

/// Looks each kEvery whether the files have changed, and reads them at once when told to (SIGHUP). Connections that
/// are open go on with what they began with; files that are wrong change nothing and are complained of. First loop.
class Certificates {
 public:
  static constexpr std::chrono::seconds kEvery{5};

  Certificates(Pool& disk, Metrics& metrics) : disk_(disk), metrics_(metrics) {}

  /// Reads the files of the listener `name`; null when they are not named. To be called before start().
  /// Errors: those of TlsIdentity::load().
  Result<const TlsIdentity*> load(const std::string& name, const TlsFiles& files);

  void start() { scope_.spawn(keep()); }
  /// Makes it read the files now.
  void reload();
  Task<void> stop();

 private:
  struct Listener {
    std::string name;
    std::shared_ptr<TlsIdentity> identity;
    std::string complaint;  ///< the last one: each is said once
  };
  Task<void> keep();
  Task<void> look(Listener& listener, TlsIdentity::Reading reading);

  Pool& disk_;
  Metrics& metrics_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Sleeper sleeper_;
  bool asked_ = false;
  bool ending_ = false;
  Scope scope_;
};

}  // namespace wherry
