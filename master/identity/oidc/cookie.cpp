#include "master/identity/oidc/cookie.h"

#include "common/auth/password_hash.h"

namespace wherry::identity::oidc {
namespace {

constexpr std::string_view kLoginSeconds = "600";  // CodeFlow::kLasts

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

/// The value of the one cookie of that name in a Cookie header's value; empty when there is none, or more than one.
std::string_view cookie_in(std::string_view cookies, std::string_view name) {
  std::string_view found;
  while (!cookies.empty()) {
    const auto end = cookies.find(';');
    const std::string_view pair = trimmed(cookies.substr(0, end));
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      if (!found.empty()) return {};
      found = pair.substr(equals + 1);
    }
    if (end == std::string_view::npos) break;
    cookies.remove_prefix(end + 1);
  }
  return found;
}

}  // namespace

std::string StateCookie::with(std::string_view value, std::string_view max_age) const {
  std::string cookie(name());
  cookie.append(1, '=').append(value).append("; Path=/; Max-Age=").append(max_age).append("; HttpOnly; SameSite=Lax");
  if (is_secure_) cookie.append("; Secure");
  return cookie;
}

std::string StateCookie::keep(std::string_view state) const { return with(state, kLoginSeconds); }

std::string StateCookie::forget() const { return with("", "0"); }

bool StateCookie::is_of(const http::Request& request, std::string_view state) const {
  if (state.empty()) return false;
  std::string cookies;
  for (std::size_t i = 0; i < request.header_count; ++i)
    if (http::equal_ignoring_case(request.header_list[i].name, "cookie"))
      cookies.append(request.header_list[i].value).append(1, ';');
  return auth::equal_secrets(cookie_in(cookies, name()), state);
}

}  // namespace wherry::identity::oidc
