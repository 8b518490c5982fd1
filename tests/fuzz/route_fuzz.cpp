// Routes: a path that is accepted names a repository of the grammar and one last part, and no other spelling of an
// escape changes which.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/http/uri.h"
#include "common/registry/route.h"

namespace {

using wherry::registry::Endpoint;
using wherry::registry::Route;

/// The path of a route, written the plain way.
std::string path_of(const Route& route) {
  const std::string name = route.repository ? "/v2/" + route.repository->text() : "";
  // An escape that stayed means that the whole path stayed as it came: then it is written as it is.
  switch (route.endpoint) {
    case Endpoint::kPing: return "/v2/";
    case Endpoint::kCatalog: return "/v2/_catalog";
    case Endpoint::kTags: return name + "/tags/list";
    case Endpoint::kManifest: return name + "/manifests/" + wherry::http::percent_encode(route.last);
    case Endpoint::kBlob: return name + "/blobs/" + wherry::http::percent_encode(route.last);
    case Endpoint::kReferrers: return name + "/referrers/" + wherry::http::percent_encode(route.last);
    case Endpoint::kUploads: return name + "/blobs/uploads/";
    case Endpoint::kManifests: return name + "/_wherry/manifests";
    case Endpoint::kUpload: return name + "/blobs/uploads/" + wherry::http::percent_encode(route.last);
    case Endpoint::kOther: break;
  }
  WHERRY_CHECK(!"a route to nothing");
  return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view raw(reinterpret_cast<const char*>(data), size);
  const auto route = wherry::registry::parse_route(raw);
  if (!route) {
    const auto kind = route.error().kind();
    WHERRY_CHECK(kind == wherry::ErrorKind::kNotFound || kind == wherry::ErrorKind::kNameInvalid);
    return 0;
  }
  const bool named = route->endpoint != Endpoint::kPing && route->endpoint != Endpoint::kCatalog;
  WHERRY_CHECK(named == route->repository.has_value());
  WHERRY_CHECK(route->last.find('/') == std::string::npos);
  if (named) {
    const std::string& name = route->repository->text();
    WHERRY_CHECK(wherry::RepositoryName::parse(name).has_value());
    WHERRY_CHECK(name.find("..") == std::string::npos && name.find('\0') == std::string::npos &&
                 name.find('%') == std::string::npos && !name.starts_with('/') && !name.ends_with('/'));
  }
  // A NUL can only come as it is, which no head lets through.
  if (raw.find('\0') == std::string_view::npos) WHERRY_CHECK(route->last.find('\0') == std::string::npos);
  if (route->last.find('\0') == std::string::npos && route->last.find('/') == std::string::npos) {
    const auto again = wherry::registry::parse_route(path_of(*route));
    WHERRY_CHECK(again && again->endpoint == route->endpoint && again->repository == route->repository);
    WHERRY_CHECK(again->last == route->last);
  }
  return 0;
}
