#include "common/auth/claims.h"

#include <algorithm>
#include <optional>

#include "common/auth/jwt.h"

namespace wherry::auth {
namespace {

using nlohmann::json;

constexpr std::size_t kMostGroups = 1000;

Error no_claims(std::string_view why) { return Error(ErrorKind::kUnauthorized, "the token {}", why); }

std::int64_t seconds_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

/// A time as RFC 7519 has it, whole seconds; nothing for anything else.
std::optional<WallTime> time_claim(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number_integer()) return std::nullopt;
  const auto seconds = found->get<std::int64_t>();
  if (seconds < 0 || seconds > INT64_MAX / 1000) return std::nullopt;
  return from_millis(seconds * 1000);
}

/// `iat`, within whose second `ms` says when that was: what was revoked in that second may be older or newer.
std::optional<WallTime> exact_time(const json& claims, const std::optional<WallTime>& issued) {
  const auto found = claims.find("ms");
  if (found == claims.end() || !found->is_number_unsigned() || !issued) return std::nullopt;
  const auto millis = found->get<std::uint64_t>();
  if (millis >= 1000) return std::nullopt;
  return from_millis(to_millis(*issued) + static_cast<std::int64_t>(millis));
}

std::optional<std::string> text_claim(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

std::optional<std::vector<std::string>> texts_claim(const json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_array() || found->size() > kMostGroups) return std::nullopt;
  std::vector<std::string> texts;
  for (const json& each : *found) {
    if (!each.is_string()) return std::nullopt;
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

std::string_view kind_name(Identity::Kind kind) {
  switch (kind) {
    case Identity::Kind::kUser: return "user";
    case Identity::Kind::kRobot: return "robot";
    default: return "anonymous";
  }
}

std::optional<Identity::Kind> kind_named(std::string_view name) {
  for (const auto kind : {Identity::Kind::kUser, Identity::Kind::kRobot, Identity::Kind::kAnonymous})
    if (kind_name(kind) == name) return kind;
  return std::nullopt;
}

std::optional<TokenAccess> read_access(const json& document) {
  if (!document.is_object()) return std::nullopt;
  auto type = text_claim(document, "type");
  auto name = text_claim(document, "name");
  const auto actions = texts_claim(document, "actions");
  if (!type || !name || !actions) return std::nullopt;
  TokenAccess access;
  access.scope.type = std::move(*type);
  access.scope.name = std::move(*name);
  access.scope.actions = Scope::actions_of(*actions);
  access.project_id = text_claim(document, "project").value_or(std::string());
  return access;
}

/// Who it is of, and what for.
Result<Claims> read_identity(const json& claims) {
  auto id = text_claim(claims, "jti");
  auto subject = text_claim(claims, "sub");
  auto name = text_claim(claims, "name");
  auto groups = claims.contains("groups") ? texts_claim(claims, "groups") : std::vector<std::string>();
  const auto kind = kind_named(text_claim(claims, "kind").value_or(std::string()));
  const auto access = claims.find("access");
  if (!id || !subject || !name || !groups || !kind || access == claims.end() || !access->is_array() ||
      access->size() > Scope::kMostScopes || (subject->empty() != (*kind == Identity::Kind::kAnonymous)))
    return no_claims("does not say who it is of");
  Claims read;
  read.id = std::move(*id);
  read.who.kind = *kind;
  read.who.id = std::move(*subject);
  read.who.name = std::move(*name);
  read.who.groups = std::move(*groups);
  for (const json& each : *access) {
    auto one = read_access(each);
    if (!one) return no_claims("does not say what it is for");
    read.access.push_back(std::move(*one));
  }
  return read;
}

}  // namespace

bool Claims::covers(std::string_view type, std::string_view name, std::string_view project_id,
                    Scope::Action action) const {
  return is_unlimited || std::ranges::any_of(access, [&](const TokenAccess& each) {
           return each.scope.has(action) && each.scope.type == type && each.scope.name == name &&
                  each.project_id == project_id;
         });
}

std::string sign_claims(const JwtSigningKey& key, const Claims& claims, std::string_view issuer,
                        std::string_view service, WallTime now) {
  json access = json::array();
  for (const TokenAccess& each : claims.access) {
    json document = {{"type", each.scope.type}, {"name", each.scope.name}, {"actions", each.scope.action_names()}};
    if (!each.project_id.empty()) document["project"] = each.project_id;
    access.push_back(std::move(document));
  }
  // No more than is read: it comes with every request. `iat` says when it holds from, too.
  json document = {{"iss", issuer},
                   {"sub", claims.who.id},
                   {"aud", service},
                   {"exp", seconds_of(claims.expires)},
                   {"iat", seconds_of(now)},
                   {"ms", to_millis(now) - seconds_of(now) * 1000},
                   {"jti", claims.id},
                   {"name", claims.who.name},
                   {"kind", kind_name(claims.who.kind)},
                   {"access", std::move(access)}};
  if (claims.who.as_of < now) document["as_of_ms"] = to_millis(claims.who.as_of);
  if (!claims.who.groups.empty()) document["groups"] = claims.who.groups;
  return sign_jwt(key, document);
}

Result<Claims> read_claims(std::string_view token, std::string_view service, std::span<const PublicJwtKey> keys,
                           WallTime now) {
  auto document = verify_jwt(token, keys);
  if (!document) return document.error();
  if (text_claim(*document, "aud") != service) return no_claims("is for another service");
  if (!text_claim(*document, "iss")) return no_claims("does not say who made it");
  const auto issued = time_claim(*document, "iat");
  const auto not_before = document->contains("nbf") ? time_claim(*document, "nbf") : issued;
  const auto expires = time_claim(*document, "exp");
  const auto issued_exactly = exact_time(*document, issued);
  if (!issued || !not_before || !expires || !issued_exactly) return no_claims("does not say when it holds");
  if (*expires - *issued > kLongestToken) return no_claims("is said to hold longer than any may");
  if (now + kTokenSkew < *issued || now + kTokenSkew < *not_before)
    return no_claims("does not hold yet: are the clocks right?");
  const WallTime ends = *expires + kTokenSkew;
  if (now >= ends) return no_claims("has expired");
  auto claims = read_identity(*document);
  if (!claims) return claims;
  claims->expires = ends;
  claims->who.as_of = *issued_exactly;
  // When its owner was found out, which may be long before: what was revoked since then does not count.
  if (const auto as_of = document->find("as_of_ms"); as_of != document->end()) {
    if (!as_of->is_number_integer()) return no_claims("does not say who it is of");
    claims->who.as_of = std::min(*issued_exactly, from_millis(as_of->get<std::int64_t>()));
  }
  return claims;
}

Result<Claims> read_claims(std::string_view token, const AccessSettings& settings, WallTime now) {
  return read_claims(token, settings.service, settings.keys, now);
}

}  // namespace wherry::auth
