#include "master/api/browser_guard.h"

#include <algorithm>

#include "common/http/place.h"
#include "common/net/address.h"

namespace wherry::api {
namespace {

bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

std::string_view without_parameters(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return type;
}

/// An address, or localhost: what nobody can make another server's name.
bool is_fixed_host(const std::string& host) {
  return host == "localhost" || host.starts_with('[') || host.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

Result<void> admit(const http::Request& request) {
  if (is_safe(request.method)) return {};
  if (request.has_header("origin")) {
    const auto origin = http::Place::of(std::string(request.header("origin")));
    const auto own = origin ? http::Place::of(origin->scheme + "://" + std::string(request.host)) : std::nullopt;
    if (!origin || !own || *origin != *own || !is_fixed_host(own->host))
      return Error(ErrorKind::kDenied, "a page of another host may not change anything here");
  }
  const auto type = without_parameters(request.header("content-type"));
  const bool has_json = http::equal_ignoring_case(type, "application/json");
  if (request.has_body() ? !has_json : !type.empty() && !has_json)
    return Error(ErrorKind::kInvalid, "the document must be sent as Content-Type: application/json");
  return {};
}

}  // namespace wherry::api
