// PinPatterns: which repositories and tags an operator never wants to lose from a cache.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace wherry::node {

/// Patterns REPOSITORY or REPOSITORY:TAG, each side a glob (glob_matches).
class PinPatterns {
 public:
  static constexpr std::size_t kMaxPatterns = 256;

  PinPatterns() = default;
  /// Errors: kInvalid, naming the pattern, when it can match no name.
  static Result<PinPatterns> parse(const std::vector<std::string>& patterns);

  bool empty() const { return patterns_.empty(); }
  bool match_repository(std::string_view repository) const;                 ///< all of it, whatever the tag
  bool match_tag(std::string_view repository, std::string_view tag) const;  ///< or all of the repository

 private:
  struct Pattern {
    std::string repository;
    std::string tag;  // empty: all of the repository
  };
  std::vector<Pattern> patterns_;
};

}  // namespace wherry::node
