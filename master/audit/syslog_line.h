// An event of the audit log as a line of syslog. Pure.
#pragma once

#include <string>
#include <string_view>

#include "master/audit/event.h"

namespace wherry::audit {

/// Who speaks, as syslog's header says it.
struct SyslogOrigin {
  std::string host = "-";
  std::string application = "wherry-master";
  std::string process = "-";

  /// This machine and process.
  static SyslogOrigin here();
};

/// One message without framing, e.g.
/// <110>1 2026-11-24T14:15:58.123Z host wherry-master 12 tag.delete [audit@32473 seq="7" actor="alice" kind="user"
/// action="tag.delete" target="repository/team/app:1.0" result="ok"] tag delete on repository/team/app:1.0 by user
/// alice Facility 13 (log audit); severity 6 (informational) when it was ok, 4 (warning) when it was denied, 3 (error)
/// when it failed. 32473 is the number for those who have no enterprise number (RFC 5612). Control characters become
/// spaces. Source: RFC 5424.
std::string syslog_line(const AuditRecord& record, const SyslogOrigin& origin);

/// A PARAM-VALUE: `"`, `\` and `]` after a backslash. Source: RFC 5424, section 6.3.3.
std::string syslog_value(std::string_view text);

/// For a stream: the length in octets, a space, the message. Source: RFC 6587, section 3.4.1.
std::string octet_counted(std::string_view message);

}  // namespace wherry::audit
