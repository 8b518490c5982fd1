// Challenges: what a registry wants to see before it answers. Pure; fuzzed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry {

/// One challenge of a WWW-Authenticate field.
struct Challenge {
  std::string scheme;  ///< lower case: "bearer", "basic"
  std::string realm;
  std::string service;
  std::string scope;
};

/// Longer fields are not read.
inline constexpr std::size_t kMaxChallengeBytes = 8 * 1024;

/// The challenges of one field in order; parameters that no registry uses are passed over, and reading ends at what is
/// no challenge. Source: RFC 9110 11.6.1; distribution's token specification.
std::vector<Challenge> parse_challenges(std::string_view field);

/// The one to follow out of all fields of an answer: Bearer before Basic; nothing when there is neither.
std::optional<Challenge> choose_challenge(const std::vector<std::string_view>& fields);

}  // namespace wherry
