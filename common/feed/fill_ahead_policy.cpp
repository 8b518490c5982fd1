#include "common/feed/fill_ahead_policy.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/glob.h"

namespace wherry::feed {
namespace {

constexpr std::size_t kMostPatterns = 64;
constexpr std::size_t kMaxPatternBytes = 1024;

Result<std::vector<std::string>> patterns_of(const nlohmann::json& document, const char* member) {
  std::vector<std::string> patterns;
  const auto found = document.find(member);
  if (found == document.end()) return patterns;
  const Error wrong(ErrorKind::kInvalid, "{}: a list of patterns", member);
  if (!found->is_array()) return wrong;
  for (const auto& each : *found) {
    if (!each.is_string()) return wrong;
    patterns.push_back(each.get<std::string>());
    if (patterns.back().empty() || patterns.back().size() > kMaxPatternBytes || patterns.size() > kMostPatterns)
      return wrong;
  }
  return patterns;
}

bool any_fits(const std::vector<std::string>& patterns, std::string_view text) {
  return patterns.empty() ||
         std::ranges::any_of(patterns, [&](const std::string& pattern) { return path_glob_matches(pattern, text); });
}

}  // namespace

Result<FillAheadPolicy> FillAheadPolicy::parse(const std::string& json) {
  const auto document = nlohmann::json::parse(json, nullptr, false);
  if (!document.is_object()) return Error(ErrorKind::kInvalid, "a fill-ahead policy is a JSON object");
  FillAheadPolicy policy;
  std::vector<std::string> platforms;
  for (const auto& [member, value] : document.items())
    if (member != "repositories" && member != "tags" && member != "nodes" && member != "platforms")
      return Error(ErrorKind::kInvalid, "{}: there are repositories, tags, nodes and platforms", member.substr(0, 80));
  const std::array<std::pair<const char*, std::vector<std::string>*>, 4> members = {{
      {"repositories", &policy.repositories},
      {"tags", &policy.tags},
      {"nodes", &policy.nodes},
      {"platforms", &platforms},
  }};
  for (const auto& [member, into] : members) {
    auto patterns = patterns_of(document, member);
    if (!patterns) return patterns.error();
    *into = std::move(*patterns);
  }
  if (platforms.empty()) return policy;
  auto chosen = PlatformChoice::parse(platforms);
  if (!chosen) return Error(ErrorKind::kInvalid, "platforms: {}", chosen.error().message());
  policy.platforms = std::move(*chosen);
  return policy;
}

bool FillAheadPolicy::fits(std::string_view repository, std::string_view tag, std::string_view node) const {
  return any_fits(repositories, repository) && any_fits(tags, tag) && any_fits(nodes, node);
}

}  // namespace wherry::feed
