#include "common/auth/jwt.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include "common/base/base64.h"

namespace wherry::auth {
namespace {

using nlohmann::json;

constexpr int kMostClaimLevels = 8;
constexpr int kMostForeignHeaderLevels = 4;  // of a key with a chain of certificates, which is passed over

Error no_token(std::string_view why) { return Error(ErrorKind::kUnauthorized, "the token {}", why); }

struct JwtParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signature;
  std::string_view signed_part;
};

std::optional<JwtParts> split(std::string_view token) {
  const auto first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const auto second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return JwtParts{.header = token.substr(0, first),
                  .claims = token.substr(first + 1, second - first - 1),
                  .signature = token.substr(second + 1),
                  .signed_part = token.substr(0, second)};
}

json object_in(std::string_view encoded, int depth) {
  const auto text = from_base64url(encoded);
  return text ? strict_object(*text, depth) : json();
}

bool is_common_member(std::string_view name) { return name == "alg" || name == "kid" || name == "typ"; }
bool changes_meaning(std::string_view name) { return name == "crit" || name == "b64" || name == "zip"; }

/// Of the header: alg and kid.
Result<std::pair<std::string, std::string>> read_header(std::string_view encoded, JwtHeader allowed) {
  const bool is_ours = allowed == JwtHeader::kOurs;
  const json header = object_in(encoded, is_ours ? 1 : kMostForeignHeaderLevels);
  if (!header.is_object()) return no_token("has no header that can be read");
  for (const auto& [name, value] : header.items()) {
    if (is_common_member(name) ? !value.is_string() : is_ours)
      return no_token("has a header with more than its algorithm and the name of its key");
    if (changes_meaning(name)) return no_token("has a header that changes how it is to be read");
  }
  return std::pair(header.value("alg", std::string()), header.value("kid", std::string()));
}

}  // namespace

json strict_object(std::string_view text, int depth) {
  bool refused = false;
  std::vector<std::set<std::string>> members;
  const auto watch = [&](int level, json::parse_event_t event, json& parsed) {
    if (refused) return false;
    const bool begins = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (event == json::parse_event_t::object_start) members.emplace_back();
    if (event == json::parse_event_t::object_end) members.pop_back();
    const bool is_repeated =
        event == json::parse_event_t::key && !members.back().insert(parsed.get<std::string>()).second;
    refused = (begins && level >= depth) || is_repeated;
    return !refused;
  };
  json parsed = json::parse(text, watch, false);
  return refused || !parsed.is_object() ? json() : parsed;
}

Result<json> verify_jwt(std::string_view token, std::span<const PublicJwtKey> keys, JwtHeader header_rule) {
  if (token.size() > kMaxTokenBytes) return no_token("is too long");
  const auto parts = split(token);
  if (!parts) return no_token("is not of three parts");
  auto header = read_header(parts->header, header_rule);
  if (!header) return header.error();
  const auto& [algorithm, kid] = *header;
  const auto signature = from_base64url(parts->signature);
  if (!signature || signature->empty()) return no_token("has no signature");
  std::size_t tried = 0;
  const auto is_signed_by = [&](const PublicJwtKey& key) {
    const bool is_meant = key.algorithm() == algorithm && (kid.empty() || key.kid().empty() || key.kid() == kid);
    return is_meant && tried++ < kMostTried && key.verify(parts->signed_part, *signature);
  };
  if (std::ranges::none_of(keys, is_signed_by)) return no_token("is not signed by a key that counts here");
  json claims = object_in(parts->claims, kMostClaimLevels);
  if (!claims.is_object()) return no_token("has no claims that can be read");
  return claims;
}

std::string kid_of_jwt(std::string_view token) {
  const auto parts = token.size() > kMaxTokenBytes ? std::nullopt : split(token);
  if (!parts) return {};
  const auto header = read_header(parts->header, JwtHeader::kForeign);
  return header ? header->second : std::string();
}

std::string sign_jwt(const JwtSigningKey& key, const json& claims) {
  const json header = {{"alg", "ES256"}, {"kid", key.public_key().kid()}, {"typ", "JWT"}};
  std::string token = to_base64url(header.dump());
  token.append(1, '.').append(to_base64url(claims.dump()));
  const std::string signature = key.sign(token);
  return token.append(1, '.').append(to_base64url(signature));
}

}  // namespace wherry::auth
