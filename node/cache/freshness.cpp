#include "node/cache/freshness.h"

#include "common/base/glob.h"

namespace wherry::node {
namespace {

constexpr std::chrono::hours kStaleByDefault{24 * 30};

Result<FreshnessRule> read_rule(ConfigSection& section) {
  FreshnessRule rule;
  if (auto read = section.read_list("match", rule.match); !read) return read.error();
  if (auto read = section.read_duration("max-age", rule.max_age); !read) return read.error();
  if (auto read = section.read_duration("stale-while-revalidate", rule.behind); !read) return read.error();
  auto stale = section.section("stale-if");
  if (!stale) return stale.error();
  if (auto read = stale->read_duration("unreachable", rule.unreachable); !read) return read.error();
  if (auto read = stale->read_duration("5xx", rule.failed); !read) return read.error();
  if (auto read = stale->read_duration("429", rule.limited); !read) return read.error();
  if (auto read = stale->read_duration("denied", rule.denied); !read) return read.error();
  if (auto read = stale->read_duration("not-found", rule.not_found); !read) return read.error();
  if (auto finished = stale->finish(); !finished) return finished.error();
  if (auto finished = section.finish(); !finished) return finished.error();
  return rule;
}

}  // namespace

FreshnessRule::FreshnessRule() : unreachable(kStaleByDefault), failed(kStaleByDefault), limited(kStaleByDefault) {}

std::chrono::milliseconds FreshnessRule::stale_if(ErrorKind kind) const {
  switch (kind) {
    case ErrorKind::kUnavailable:  // this node cannot ask
    case ErrorKind::kUpstream:
    case ErrorKind::kTimeout: return unreachable;
    case ErrorKind::kUpstreamFailed: return failed;
    case ErrorKind::kUpstreamLimited: return limited;
    case ErrorKind::kDenied: return denied;
    case ErrorKind::kManifestUnknown:
    case ErrorKind::kNameUnknown: return not_found;
    default: return {};
  }
}

Result<Freshness> Freshness::read(ConfigSection& section) {
  auto entries = section.sections("freshness");
  if (!entries) return entries.error();
  std::vector<FreshnessRule> rules;
  for (ConfigSection& entry : *entries) {
    auto rule = read_rule(entry);
    if (!rule) return rule.error();
    rules.push_back(std::move(*rule));
  }
  return Freshness(std::move(rules));
}

FreshnessRule Freshness::upstream_rule() {
  FreshnessRule rule;
  rule.max_age = kUpstreamMaxAge;
  return rule;
}

const FreshnessRule& Freshness::rule(std::string_view repository, std::string_view tag, bool of_parent) const {
  const FreshnessRule& otherwise = of_parent ? for_parent_ : for_upstreams_;
  if (rules_.empty()) return otherwise;
  const std::string name = std::string(repository) + ":" + std::string(tag);
  for (const FreshnessRule& rule : rules_)
    if (any_glob_matches(rule.match, name)) return rule;
  return otherwise;
}

}  // namespace wherry::node
