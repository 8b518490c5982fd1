// Pages: what a browser shows at the end of a login. Pure.
#pragma once

#include <string>
#include <string_view>

#include "common/http/response.h"

namespace wherry::identity::oidc {

/// Text in HTML, in an element or in a quoted attribute: & < > " ' as references.
std::string escape_html(std::string_view text);

/// A page of a heading and a paragraph, both escaped here. It may load nothing, run nothing and stand in no frame of
/// another, and nobody keeps it.
http::Response page(int status, std::string_view heading, std::string_view text);

}  // namespace wherry::identity::oidc
