#include "node/eviction/pin_patterns.h"

#include <algorithm>

namespace wherry::node {

bool matches_glob(std::string_view pattern, std::string_view text) {
  std::size_t at = 0;
  std::size_t star = std::string_view::npos;  // the last one seen, and what it stands for so far
  std::size_t star_end = 0;
  std::size_t in = 0;
  while (in < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_end = in;
    } else if (at < pattern.size() && (pattern[at] == '?' || pattern[at] == text[in])) {
      ++at;
      ++in;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in = ++star_end;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

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
    return pattern.tag.empty() && matches_glob(pattern.repository, repository);
  });
}

bool PinPatterns::match_tag(std::string_view repository, std::string_view tag) const {
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
    return matches_glob(pattern.repository, repository) && (pattern.tag.empty() || matches_glob(pattern.tag, tag));
  });
}

}  // namespace wherry::node
