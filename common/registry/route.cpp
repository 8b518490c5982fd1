#include "common/registry/route.h"

#include <cstring>

#include "common/base/bytes.h"
#include "common/http/request.h"
#include "common/http/uri.h"

namespace wherry::registry {
namespace {

/// Takes the last part off `path`, which ends before its slash then.
std::string_view take_last(std::string_view& path) {
  if (path.empty()) return {};
  const auto* found = static_cast<const char*>(::memrchr(path.data(), '/', path.size()));
  const auto slash = found == nullptr ? std::string_view::npos : static_cast<std::size_t>(found - path.data());
  const auto last = slash == std::string_view::npos ? path : path.substr(slash + 1);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  return last;
}

Result<Route> named(Endpoint endpoint, std::string_view name, std::string_view last) {
  auto repository = RepositoryName::parse(name);
  if (!repository) return repository.error();
  Route route;
  route.endpoint = endpoint;
  route.asked = repository->text();
  route.repository = std::move(*repository);
  route.last = last;
  return route;
}

/// The path as its parts are meant. One with a broken escape or an escaped slash stays as it came: no grammar has a
/// percent sign, so what it names is refused by its own rule (a name, a digest, a tag) and never taken for another
/// path.
std::string decoded_path(std::string_view raw) {
  for (auto at = raw.find('%'); at != std::string_view::npos; at = raw.find('%', at + 1))
    if (http::equal_ignoring_case(raw.substr(at, 3), "%2f")) return std::string(raw);
  return http::percent_decode(raw).value_or(std::string(raw));
}

}  // namespace

Result<Route> parse_route(std::string_view raw) {
  const std::string decoded = decoded_path(raw);
  std::string_view path = decoded;
  const auto unknown = [] {
    return Error(ErrorKind::kNotFound, "there is nothing at this path; the API is below /v2/");
  };
  Route route;
  if (path == "/v2/" || path == "/v2") {
    route.endpoint = Endpoint::kPing;
    return route;
  }
  if (!path.starts_with("/v2/")) return unknown();
  path.remove_prefix(4);
  if (path == "_catalog") {
    route.endpoint = Endpoint::kCatalog;
    return route;
  }
  // From the right: a repository may be named like an endpoint.
  std::string_view rest = path;
  const auto last = take_last(rest);
  std::string_view before = rest;
  const auto second = take_last(before);
  if (second == "tags" && last == "list") return named(Endpoint::kTags, before, {});
  if (second == "_wherry" && last == "manifests") return named(Endpoint::kManifests, before, {});
  if (second == "manifests") return named(Endpoint::kManifest, before, last);
  if (second == "referrers") return named(Endpoint::kReferrers, before, last);
  if (second == "blobs" && last == "uploads") return named(Endpoint::kUploads, before, {});
  if (second == "blobs") return named(Endpoint::kBlob, before, last);
  if (second == "uploads") {
    std::string_view outer = before;
    if (take_last(outer) == "blobs") return named(last.empty() ? Endpoint::kUploads : Endpoint::kUpload, outer, last);
  }
  return unknown();
}

std::string_view allowed_methods(Endpoint endpoint, bool writable) {
  switch (endpoint) {
    case Endpoint::kManifest: return writable ? "GET, HEAD, PUT, DELETE" : "GET, HEAD";
    case Endpoint::kBlob: return writable ? "GET, HEAD, DELETE" : "GET, HEAD";
    case Endpoint::kUploads: return writable ? "POST" : "";
    case Endpoint::kUpload: return writable ? "GET, HEAD, PATCH, PUT, DELETE" : "";
    default: return "GET, HEAD";
  }
}

}  // namespace wherry::registry
