// Freshness: for how long a tag is answered without asking, and with what it is answered when nobody can be asked.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/config/config_file.h"

namespace wherry::node {

/// One rule. Ages count from when the upstream last said what the tag means.
struct FreshnessRule {
  std::vector<std::string> match = {"*"};  ///< patterns of REPOSITORY:TAG, as the node keeps repositories
  std::chrono::milliseconds max_age{0};    ///< answered without asking
  std::chrono::milliseconds behind{0};     ///< stale-while-revalidate: answered at once, asked behind the answer
  std::chrono::milliseconds unreachable;   ///< stale-if: no connection, no answer in time, no sense
  std::chrono::milliseconds failed;        ///< stale-if: 5xx
  std::chrono::milliseconds limited;       ///< stale-if: 429
  std::chrono::milliseconds denied{0};     ///< stale-if: 401, 403
  std::chrono::milliseconds not_found{0};  ///< stale-if: 404

  FreshnessRule();
  /// How old an answer may be that is given instead of this error.
  std::chrono::milliseconds stale_if(ErrorKind kind) const;
};

/// All rules, in the order of the file; the first that fits counts, then the default one.
class Freshness {
 public:
  Freshness() = default;
  explicit Freshness(std::vector<FreshnessRule> rules) : rules_(std::move(rules)) {}
  /// Reads `freshness`, a list of rules.
  static Result<Freshness> read(ConfigSection& section);

  /// Without a rule that fits, a parent is asked each time (until its feed is followed) and an upstream after
  /// kUpstreamMaxAge.
  const FreshnessRule& rule(std::string_view repository, std::string_view tag, bool of_parent) const;

  static constexpr std::chrono::seconds kUpstreamMaxAge{10};

 private:
  static FreshnessRule upstream_rule();

  std::vector<FreshnessRule> rules_;
  FreshnessRule for_parent_;
  FreshnessRule for_upstreams_ = upstream_rule();
};

}  // namespace wherry::node
