#include "node/eviction/pin_patterns.h"

#include <algorithm>

#include "common/base/glob.h"

namespace wherry::node {

Result<PinPatterns> PinPatterns::parse(const std::vector<std::string>& patterns) {
  constexpr std::string_view kInNames = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/*?";
  PinPatterns parsed;
  if (patterns.size() > kMaxPatterns) return Error(ErrorKind::kInvalid, "more than {} patterns", kMaxPatterns);
  for (const std::string& text : patterns) {
    const auto colon = text.find(':');
    Pattern pattern{text.substr(0, colon), colon == std::string::npos ? std::string() : text.substr(colon + 1)};
    const bool good = !pattern.repository.empty() && (colon == std::string::npos || !pattern.tag.empty()) &&
                      pattern.repository.find_first_not_of(kInNames) == std::string::npos &&
                      pattern.tag.find_first_not_of(kInNames) == std::string::npos;
    if (!good)
      return Error(ErrorKind::kInvalid, "'{}' is not a pattern of a repository or REPOSITORY:TAG, such as team/*:v?",
                   text);
    parsed.patterns_.push_back(std::move(pattern));
  }
  return parsed;
}

bool PinPatterns::match_repository(std::string_view repository) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return pattern.tag.empty() && glob_matches(pattern.repository, repository);
  });
}

bool PinPatterns::match_tag(std::string_view repository, std::string_view tag) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return glob_matches(pattern.repository, repository) && (pattern.tag.empty() || glob_matches(pattern.tag, tag));
  });
}

}  // namespace wherry::node
