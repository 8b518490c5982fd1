// The cookie that binds a login to the browser that began it. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/request.h"

namespace wherry::identity::oidc {

/// Its value is the login's state: a page elsewhere can send a browser back with a state of its own, but cannot put it
/// in here too. Over TLS its name has the prefix that keeps other hosts of the domain from writing it (RFC 6265bis
/// 4.1.3.2).
class StateCookie {
 public:
  explicit StateCookie(bool is_secure) : is_secure_(is_secure) {}

  /// The Set-Cookie value that keeps `state` for as long as a login lasts.
  std::string keep(std::string_view state) const;
  /// That which removes it.
  std::string forget() const;
  /// Whether the request came with that state, and no other. Compared in constant time.
  bool is_of(const http::Request& request, std::string_view state) const;

 private:
  std::string_view name() const { return is_secure_ ? "__Host-wherry-login" : "wherry-login"; }
  std::string with(std::string_view value, std::string_view max_age) const;
  bool is_secure_;
};

}  // namespace wherry::identity::oidc
