// Scope: what a client asks a token for. Source: the distribution project's token specification, "Token scope".
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/permissions.h"

namespace wherry::auth {

/// "repository:team/app:pull,push": a type, a name (which may hold colons), actions.
struct Scope {
  enum class Action : std::uint8_t { kPull = 1, kPush = 2, kDelete = 4, kAny = 8 };
  static constexpr std::size_t kMostScopes = 64;
  static constexpr std::size_t kMaxNameBytes = 300;

  std::string type;
  std::string name;
  std::uint8_t actions = 0;  ///< of Action; those that are not known are left out

  bool has(Action action) const { return (actions & static_cast<std::uint8_t>(action)) != 0; }
  bool operator==(const Scope&) const = default;

  /// Nothing for what has no such form.
  static std::optional<Scope> parse(std::string_view text);
  /// Those of one parameter, parted by spaces; what cannot be read is left out: to ask for too much is no error.
  static std::vector<Scope> parse_all(std::string_view text);
  std::string to_string() const;
  std::vector<std::string> action_names() const;
  static std::uint8_t actions_of(std::span<const std::string> names);
};

inline constexpr std::string_view kRepositoryScope = "repository";
inline constexpr std::string_view kRegistryScope = "registry";
/// registry:catalog:*
inline constexpr std::string_view kCatalogName = "catalog";
/// registry:api:*: the administration.
inline constexpr std::string_view kApiName = "api";

/// The action that a permission needs in a token, and back: what an action may come to.
Scope::Action action_of(Permission permission);
/// Of those actions the ones that these permissions allow.
std::uint8_t allowed_actions(std::uint8_t asked, Permissions permissions);

}  // namespace wherry::auth
