#include "master/identity/oidc/page.h"

namespace wherry::identity::oidc {

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out.push_back(c);
    }
  return out;
}

http::Response page(int status, std::string_view heading, std::string_view text) {
  const std::string title = escape_html(heading);
  std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>";
  html +=
      title + "</title>\n</head>\n<body>\n<h1>" + title + "</h1>\n<p>" + escape_html(text) + "</p>\n</body>\n</html>\n";
  http::Response response(status);
  response.header("Content-Security-Policy",
                  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.header("X-Content-Type-Options", "nosniff");
  response.header("Referrer-Policy", "no-referrer");
  response.header("Cache-Control", "no-store");
  response.body("text/html; charset=utf-8", std::move(html));
  return response;
}

}  // namespace wherry::identity::oidc
