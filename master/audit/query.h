// AuditQuery: which events of the audit log are asked for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "master/audit/event.h"

namespace wherry::audit {

/// Which events are asked for; empty texts and absent times ask for all.
class AuditQuery {
 public:
  static constexpr std::uint64_t kMaxLimit = 10'000;

  AuditQuery() = default;

  std::optional<WallTime> since;  ///< inclusive
  std::optional<WallTime> until;  ///< exclusive
  std::string actor;              ///< a name, whole
  std::string action;             ///< what the action begins with
  std::string target;             ///< what the target begins with
  std::uint64_t after = 0;        ///< only sequences above
  std::uint64_t before = 0;       ///< only sequences below; 0: up to the end
  std::uint64_t limit = 100;      ///< of a page, at most kMaxLimit
  bool newest = false;            ///< of those that fit, the last ones instead of the first

  bool fits(const AuditEvent& event) const;
};

/// The same conditions asked of a line's text: a line that may not fit does not fit, and is not read as JSON.
class LineFilter {
 public:
  explicit LineFilter(const AuditQuery& query);
  bool may_fit(std::string_view line) const;

 private:
  std::optional<WallTime> since_;
  std::optional<WallTime> until_;
  std::vector<std::string> pieces_;  // each stands in a line that fits
};

}  // namespace wherry::audit
