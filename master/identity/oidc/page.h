// Pages: what a browser shows at the end of a login. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/http/response.h"

namespace wherry::identity::oidc {

/// Text in HTML, in an element or in a quoted attribute: & < > " ' as references.
std::string escape_html(std::string_view text);

/// A page of a heading and a paragraph, both escaped here. It may load nothing, run nothing and stand in no frame of
/// another, and nobody keeps it.
http::Response page(int status, std::string_view heading, std::string_view text);

/// What a login gave.
struct LoggedIn {
  std::string name;            ///< as it logs in
  std::string secret;          ///< takes the place of a password, in command lines that have to have one
  std::chrono::hours lasts{};  ///< that long
  std::string host;            ///< of this registry, with its port where it has one of its own
};
/// Such a page with the secret, which is told this once, and where to type it in.
http::Response logged_in_page(const LoggedIn& login);

}  // namespace wherry::identity::oidc
