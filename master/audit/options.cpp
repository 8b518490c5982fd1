#include "master/audit/options.h"

#include <fmt/format.h>

#include <utility>

#include "common/base/bytes.h"
#include "common/oci/excerpt.h"

namespace wherry::audit {

Result<SyslogTarget> SyslogTarget::parse(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return Error(ErrorKind::kInvalid, "{} is not tcp://HOST:PORT or udp://HOST:PORT: {}", excerpt(text), why);
  };
  SyslogTarget target;
  std::string_view rest = text;
  if (!rest.starts_with("tcp://") && !rest.starts_with("udp://")) return wrong("it begins otherwise");
  target.tcp = rest.starts_with("tcp");
  rest.remove_prefix(6);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return wrong("it has no port");
  const auto port = parse_decimal(rest.substr(colon + 1), 65535);
  if (!port || *port == 0) return wrong("its port is no number from 1 to 65535");
  target.port = static_cast<std::uint16_t>(*port);
  std::string_view host = rest.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty()) return wrong("it has no host");
  if (host.find_first_of("/@[]?# ") != std::string_view::npos ||
      (!bracketed && host.find(':') != std::string_view::npos))
    return wrong("its host is no name or address (of IPv6, in brackets)");
  target.host = host;
  return target;
}

std::string SyslogTarget::to_string() const {
  const bool brackets = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", tcp ? "tcp" : "udp", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

Result<AuditOptions> read_audit(ConfigSection& file) {
  AuditOptions options;
  auto section = file.section("audit");
  if (!section) return section.error();
  const auto wrong = [&section](const std::string& key, std::string_view what) {
    return Error(ErrorKind::kInvalid, "{}: {}", section->place_of(key), what);
  };
  auto read = section->read_bytes("rotate-bytes", options.rotate_bytes);
  if (!read) return read.error();
  if (options.rotate_bytes < AuditOptions::kLeastRotateBytes) return wrong("rotate-bytes", "has to be at least 1MiB");
  read = section->read_bytes("keep-bytes", options.keep_bytes);
  if (!read) return read.error();
  if (options.keep_bytes != 0 && options.keep_bytes / 2 < options.rotate_bytes)
    return wrong("keep-bytes", "has to be at least twice rotate-bytes, or 0 to keep all");
  std::string syslog;
  read = section->read("syslog", syslog);
  if (!read) return read.error();
  if (!syslog.empty()) {
    auto target = SyslogTarget::parse(syslog);
    if (!target) return wrong("syslog", target.error().message());
    options.syslog = std::move(*target);
  }
  if (auto finished = section->finish(); !finished) return finished.error();
  return options;
}

}  // namespace wherry::audit
