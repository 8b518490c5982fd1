#include "master/identity/oidc/id_token.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "common/base/lower_case.h"

namespace wherry::identity::oidc {
namespace {

using Claims = nlohmann::json;

constexpr std::size_t kMaxSubjectBytes = 255;  // OpenID Connect Core 1.0, 2
constexpr double kLatestTime = 1e11;           // seconds: some thousand years on, far below what overflows

template <class... Args>
Error bad_id_token(fmt::format_string<Args...> why, Args&&... args) {
  return Error(ErrorKind::kUnauthorized, "the ID token {}", fmt::format(why, std::forward<Args>(args)...));
}

/// A claim that is a text; nothing for one that is not there or something else.
std::optional<std::string> text_claim(const Claims& claims, const std::string& name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// Seconds since 1970, perhaps with a fraction. Source: RFC 7519 2, "NumericDate".
std::optional<WallTime> time_claim(const Claims& claims, const std::string& name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLatestTime) return std::nullopt;
  return from_millis(static_cast<std::int64_t>(seconds * 1000));
}

bool is_name(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !text.empty() && text.size() <= kMaxNameBytes && std::ranges::none_of(text, is_control);
}

/// How many audiences there are when `client` is one of them; 0 when it is not, or aud is no such claim.
std::size_t audiences_with(const Claims& claims, const std::string& client) {
  const auto aud = claims.find("aud");
  if (aud == claims.end()) return 0;
  if (aud->is_string()) return *aud == client ? 1 : 0;
  if (!aud->is_array() || aud->size() > kMostAudiences) return 0;
  if (!std::ranges::all_of(*aud, [](const Claims& each) { return each.is_string(); })) return 0;
  return std::ranges::any_of(*aud, [&](const Claims& each) { return each == client; }) ? aud->size() : 0;
}

Result<void> check_audience(const Claims& claims, const std::string& client) {
  const std::size_t audiences = audiences_with(claims, client);
  if (audiences == 0) return bad_id_token("is not for this client (aud)");
  const auto azp = claims.find("azp");
  if (azp == claims.end() && audiences > 1) return bad_id_token("is for several and does not say who asked (azp)");
  if (azp != claims.end() && *azp != client) return bad_id_token("was asked for by another client (azp)");
  return {};
}

Result<void> check_times(const Claims& claims, WallTime now) {
  const auto expires = time_claim(claims, "exp");
  if (!expires) return bad_id_token("does not say until when it holds (exp)");
  if (now >= *expires + kClockSkew) return bad_id_token("has expired (exp)");
  const auto issued = time_claim(claims, "iat");
  if (!issued) return bad_id_token("does not say when it was made (iat)");
  if (*issued > now + kClockSkew) return bad_id_token("was made in the future (iat)");
  if (*issued < now - kOldestIdToken - kClockSkew) return bad_id_token("was made too long ago (iat)");
  if (!claims.contains("nbf")) return {};
  const auto begins = time_claim(claims, "nbf");
  if (!begins || *begins > now + kClockSkew) return bad_id_token("does not hold yet (nbf)");
  return {};
}

Result<std::vector<std::string>> read_groups(const Claims& claims, const std::string& name) {
  std::vector<std::string> groups;
  const auto found = claims.find(name);
  if (found == claims.end()) return groups;
  if (auto one = text_claim(claims, name); one && is_name(*one)) groups.push_back(std::move(*one));
  if (!found->is_array()) return groups;
  if (found->size() > kMostGroups) return bad_id_token("names more than {} groups", kMostGroups);
  for (const Claims& each : *found)
    if (each.is_string() && is_name(each.get_ref<const std::string&>())) groups.push_back(each.get<std::string>());
  std::ranges::sort(groups);
  const auto doubles = std::ranges::unique(groups);
  groups.erase(doubles.begin(), doubles.end());
  return groups;
}

}  // namespace

Result<void> check_id_token(const Claims& claims, const OidcOptions& options, const std::string& nonce, WallTime now) {
  if (text_claim(claims, "iss") != options.issuer) return bad_id_token("is of another issuer (iss)");
  if (auto meant = check_audience(claims, options.client_id); !meant) return meant;
  if (auto timely = check_times(claims, now); !timely) return timely;
  if (!nonce.empty() && text_claim(claims, "nonce") != nonce) return bad_id_token("is of another login (nonce)");
  return {};
}

Result<MasterLogins::Person> read_person(const Claims& claims, const OidcOptions& options) {
  const auto subject = text_claim(claims, "sub");
  if (!subject || !is_name(*subject) || subject->size() > kMaxSubjectBytes)
    return bad_id_token("does not say who it is of (sub)");
  auto login = text_claim(claims, options.login_claim);
  if (!login || !is_name(*login))
    return bad_id_token("has no login name: the claim {} is missing, there and at the userinfo endpoint",
                        options.login_claim);
  const auto verified = claims.find("email_verified");
  const bool is_verified = verified == claims.end() || *verified == true || *verified == "true";  // some write a text
  if (options.login_claim == "email" && !is_verified)
    return bad_id_token("has a mail address that the provider has not verified");
  auto groups = read_groups(claims, options.groups_claim);
  if (!groups) return groups.error();
  MasterLogins::Person person;
  person.external_id = options.issuer + "#" + *subject;
  person.name = lower_case(*login);
  const auto mail = text_claim(claims, "email");
  if (mail && is_name(*mail)) person.mail = *mail;
  person.groups = std::move(*groups);
  return person;
}

}  // namespace wherry::identity::oidc
