// What the `serve` commands of both roles share: flags, the configuration file, and who may be let in.
#pragma once

#include <functional>
#include <string>

#include "common/base/error.h"
#include "common/config/command.h"
#include "common/config/config_file.h"
#include "common/daemon/daemon.h"

namespace wherry {

inline constexpr const char* kAbout = "Wherry, a container registry for many places";

/// The options of `serve`; flags override the file, where the same names stand.
struct ServeOptions {
  std::string data;
  std::string listen;
  std::string observe;
  std::string config;
  std::string log_level = "info";
  bool insecure_open = false;
  std::string access_url;             ///< access.url: how clients reach this; as each of them did when it is empty
  bool behind_tls = false;            ///< access.behind-tls: what stands before this speaks TLS
  std::uint64_t low_water_bytes = 0;  ///< space.low-water-bytes; 0: the default
  std::uint64_t loops = 0;
  std::chrono::milliseconds scrub_round{std::chrono::hours(24 * 7)};  ///< scrub.round
  DaemonOptions daemon;

  /// Adds the shared flags to a command.
  void add_flags(Command command);
  /// Reads the file (if one was named) for what no flag set, `own` reading the role's keys, and checks all of it.
  /// `own_access`: the keys of its own below `access`. Errors: kInvalid, naming file, line and key or the flag.
  Result<void> complete(const std::function<Result<void>(ConfigSection&)>& own,
                        const std::function<Result<void>(ConfigSection&)>& own_access = nullptr);
  /// Whether clients reach this by TLS.
  bool speaks_tls() const { return behind_tls || !daemon.tls.certificate.empty(); }
};

}  // namespace wherry
