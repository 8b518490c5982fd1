#include "common/auth/scope.h"

#include <array>
#include <span>
#include <utility>

namespace wherry::auth {
namespace {

constexpr std::array<std::pair<std::string_view, Scope::Action>, 4> kActions{{
    {"pull", Scope::Action::kPull},
    {"push", Scope::Action::kPush},
    {"delete", Scope::Action::kDelete},
    {"*", Scope::Action::kAny},
}};

std::uint8_t action_named(std::string_view name) {
  for (const auto& [known, action] : kActions)
    if (known == name) return static_cast<std::uint8_t>(action);
  return 0;
}

}  // namespace

std::optional<Scope> Scope::parse(std::string_view text) {
  const auto first = text.find(':');
  const auto last = text.rfind(':');
  if (first == std::string_view::npos || last == first) return std::nullopt;
  Scope scope;
  scope.type = text.substr(0, first);
  scope.name = text.substr(first + 1, last - first - 1);
  if (const auto paren = scope.type.find('('); paren != std::string::npos) scope.type.resize(paren);  // a class
  if (scope.name.empty() || scope.name.size() > kMaxNameBytes) return std::nullopt;
  for (std::string_view rest = text.substr(last + 1); !rest.empty();) {
    const auto comma = rest.find(',');
    scope.actions |= action_named(rest.substr(0, comma));
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return scope;
}

std::vector<Scope> Scope::parse_all(std::string_view text) {
  std::vector<Scope> scopes;
  while (!text.empty() && scopes.size() < kMostScopes) {
    const auto space = text.find(' ');
    if (auto scope = parse(text.substr(0, space))) scopes.push_back(std::move(*scope));
    text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  }
  return scopes;
}

std::vector<std::string> Scope::action_names() const {
  std::vector<std::string> names;
  for (const auto& [word, action] : kActions)
    if (has(action)) names.emplace_back(word);
  return names;
}

std::uint8_t Scope::actions_of(std::span<const std::string> names) {
  std::uint8_t actions = 0;
  for (const std::string& word : names) actions |= action_named(word);
  return actions;
}

std::string Scope::to_string() const {
  std::string text = type + ":" + name + ":";
  for (const std::string& action : action_names()) text.append(text.ends_with(':') ? "" : ",").append(action);
  return text;
}

Scope::Action action_of(Permission permission) {
  switch (permission) {
    case Permission::kList:
    case Permission::kPull: return Scope::Action::kPull;
    case Permission::kPush:
    case Permission::kOverwrite: return Scope::Action::kPush;
    case Permission::kDelete: return Scope::Action::kDelete;
    default: return Scope::Action::kAny;
  }
}

std::uint8_t allowed_actions(std::uint8_t asked, Permissions permissions) {
  std::uint8_t allowed = 0;
  for (const auto& [permission, action] : {std::pair{Permission::kPull, Scope::Action::kPull},
                                           {Permission::kPush, Scope::Action::kPush},
                                           {Permission::kDelete, Scope::Action::kDelete}})
    if (permissions.has(permission)) allowed |= static_cast<std::uint8_t>(action);
  const bool any = (asked & static_cast<std::uint8_t>(Scope::Action::kAny)) != 0;
  return any ? allowed : asked & allowed;
}

}  // namespace wherry::auth
