#include "master/audit/query.h"

#include <algorithm>

#include "common/base/json.h"

namespace wherry::audit {
namespace {

constexpr std::string_view kTimeMember = R"("time":")";
constexpr std::size_t kTimeBytes = 24;  // as to_rfc3339() writes it

/// How a member that begins with this text stands in a line: names and texts are written one way only.
std::string beginning_of(std::string_view name, std::string_view text) {
  std::string piece = json_string(name) + ":" + json_string(text);
  piece.pop_back();
  return piece;
}

}  // namespace

bool AuditQuery::fits(const AuditEvent& event) const {
  return (!since || *event.time >= *since) && (!until || *event.time < *until) &&
         (actor.empty() || event.actor.name == actor) && event.action.starts_with(action) &&
         event.target.starts_with(target);
}

LineFilter::LineFilter(const AuditQuery& query) : since_(query.since), until_(query.until) {
  if (!query.target.empty()) pieces_.push_back(beginning_of("target", query.target));
  if (!query.action.empty()) pieces_.push_back(beginning_of("action", query.action));
  if (!query.actor.empty()) pieces_.push_back(beginning_of("name", query.actor) + "\"");
}

bool LineFilter::may_fit(std::string_view line) const {
  if (since_ || until_) {
    const std::size_t member = line.find(kTimeMember);
    if (member == std::string_view::npos) return true;
    const auto time = parse_time(line.substr(member + kTimeMember.size(), kTimeBytes));
    if (time && ((since_ && *time < *since_) || (until_ && *time >= *until_))) return false;
  }
  return std::all_of(pieces_.begin(), pieces_.end(),
                     [line](const std::string& piece) { return line.find(piece) != std::string_view::npos; });
}

}  // namespace wherry::audit
