#include "master/audit/syslog_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace wherry::audit {
namespace {

constexpr int kFacilityLogAudit = 13;
constexpr std::size_t kMaxHostBytes = 255;
constexpr std::size_t kMaxApplicationBytes = 48;
constexpr std::size_t kMaxProcessBytes = 128;
constexpr std::size_t kMaxMessageIdBytes = 32;

int severity(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return 6;
    case Outcome::kDenied: return 4;
    case Outcome::kFailed: return 3;
  }
  return 3;
}

bool is_control(char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }

/// PRINTUSASCII of a field of the header; "-" for nothing.
std::string header_field(std::string_view text, std::size_t most) {
  std::string field(text.substr(0, most));
  for (char& c : field)
    if (c <= 0x20 || c >= 0x7f) c = '?';
  return field.empty() ? "-" : field;
}

std::string in_words(const AuditEvent& event) {
  std::string words = event.action;
  std::replace(words.begin(), words.end(), '.', ' ');
  if (!event.target.empty()) words += " on " + event.target;
  words += fmt::format(" by {}", word_of(event.actor.kind));
  if (!event.actor.name.empty()) words += " " + event.actor.name;
  if (!event.remote.empty()) words += " from " + event.remote;
  if (!event.via.empty()) words += " via node " + event.via;
  if (event.result != Outcome::kOk) words += fmt::format(": {}", word_of(event.result));
  if (!event.reason.empty()) words += ", " + event.reason;
  std::replace_if(words.begin(), words.end(), is_control, ' ');
  return words;
}

}  // namespace

SyslogOrigin SyslogOrigin::here() {
  SyslogOrigin origin;
  std::array<char, kMaxHostBytes + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) origin.host = name.data();
  origin.process = std::to_string(::getpid());
  return origin;
}

std::string syslog_value(std::string_view text) {
  std::string value;
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == ']') value.push_back('\\');
    value.push_back(is_control(c) ? ' ' : c);
  }
  return value;
}

std::string syslog_line(const AuditRecord& record, const SyslogOrigin& origin) {
  const AuditEvent& event = record.event;
  return fmt::format(
      "<{}>1 {} {} {} {} {} [audit@32473 seq=\"{}\" actor=\"{}\" kind=\"{}\" action=\"{}\" target=\"{}\" "
      "result=\"{}\"] "
      "{}",
      kFacilityLogAudit * 8 + severity(event.result), to_rfc3339(event.time.value_or(WallTime())),
      header_field(origin.host, kMaxHostBytes), header_field(origin.application, kMaxApplicationBytes),
      header_field(origin.process, kMaxProcessBytes), header_field(event.action, kMaxMessageIdBytes), record.sequence,
      syslog_value(event.actor.name), word_of(event.actor.kind), syslog_value(event.action), syslog_value(event.target),
      word_of(event.result), in_words(event));
}

std::string octet_counted(std::string_view message) { return fmt::format("{} {}", message.size(), message); }

}  // namespace wherry::audit
