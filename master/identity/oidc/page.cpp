#include "master/identity/oidc/page.h"

namespace wherry::identity::oidc {
namespace {

std::string element(std::string_view name, std::string_view text) {
  std::string html = "<" + std::string(name) + ">";
  html.append(escape_html(text)).append("</").append(name).append(">\n");
  return html;
}

http::Response document(int status, std::string_view heading, std::string_view content) {
  std::string html = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += element("title", heading) + "</head>\n<body>\n" + element("h1", heading);
  html.append(content).append("</body>\n</html>\n");
  http::Response response(status);
  response.header("Content-Security-Policy",
                  "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  response.header("X-Content-Type-Options", "nosniff");
  response.header("Referrer-Policy", "no-referrer");
  response.header("Cache-Control", "no-store");
  response.body("text/html; charset=utf-8", std::move(html));
  return response;
}

}  // namespace

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
  return document(status, heading, element("p", text));
}

http::Response logged_in_page(const LoggedIn& login) {
  const std::string hours = std::to_string(login.lasts.count());
  const std::string last = " -u " + login.name + " " + login.host + "\n";
  std::string content = element("p", "You are logged in as " + login.name + ". This is your secret for command lines:");
  content += element("pre", login.secret);
  content += element("p", "It is shown this once. Copy it in where one of these asks for a password:");
  content += element("pre", "docker login" + last + "podman login" + last);
  content += element("p", "It holds for " + hours + " hours, or until you are logged out. Then log in here again.");
  return document(200, "You are logged in", content);
}

}  // namespace wherry::identity::oidc
