// What the audit log is told by the configuration: its sizes, and where else its events go.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/config/config_file.h"

namespace wherry::audit {

/// A receiver of syslog.
struct SyslogTarget {
  bool tcp = true;
  std::string host;  ///< a name or an address, without brackets
  std::uint16_t port = 0;

  /// Reads "tcp://HOST:PORT" or "udp://HOST:PORT"; an IPv6 address stands in brackets. Errors: kInvalid.
  static Result<SyslogTarget> parse(std::string_view text);
  std::string to_string() const;
};

class AuditOptions {
 public:
  static constexpr std::uint64_t kLeastRotateBytes = 1024 * 1024;

  AuditOptions() = default;

  std::uint64_t rotate_bytes = std::uint64_t{64} << 20;  ///< a file that has reached this is followed by a new one
  std::uint64_t keep_bytes = std::uint64_t{10} << 30;    ///< of all files; beyond it the oldest go; 0: all are kept
  std::optional<SyslogTarget> syslog;
  /// Called once, on the log's thread, when its disk can no longer be trusted.
  std::function<void(const Error&)> on_fatal;

  const Clock* clock = &Clock::system();  ///< a seam for tests
  std::function<int(int fd)> sync;        ///< in the place of fdatasync(2); a seam for tests
};

/// The section `audit` of a configuration file: `rotate-bytes` (at least 1 MiB), `keep-bytes` (0, or at least
/// twice that), `syslog`. Errors: kInvalid, naming file, line and key.
Result<AuditOptions> read_audit(ConfigSection& file);

}  // namespace wherry::audit
