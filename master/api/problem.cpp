#include "master/api/problem.h"

#include "common/http/response.h"
#include "common/oci/error_body.h"

namespace wherry::api {
namespace {

/// "Not Found" of "HTTP/1.1 404 Not Found".
std::string title_of(int status) {
  std::string_view line = http::status_line(status);
  line.remove_prefix(std::min(line.size(), std::string_view("HTTP/1.1 404 ").size()));
  while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
  return std::string(line);
}

}  // namespace

Json problem_document(int status, const std::string& detail) {
  Json document;
  document["title"] = title_of(status);
  document["status"] = status;
  document["detail"] = detail;
  return document;
}

Answer problem_of(const Error& error) {
  int status = http_status(error.kind());
  const Json more = error.detail_json().empty() ? Json() : Json::parse(error.detail_json(), nullptr, false);
  if (more.is_object() && more.contains("status") && more["status"].is_number_integer()) status = more["status"];
  Json document = problem_document(status, std::string(told_message(error)));
  if (more.is_object())
    for (const auto& [key, value] : more.items()) document[key] = value;
  return Answer(std::move(document), status);
}

}  // namespace wherry::api
