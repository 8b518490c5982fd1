// Route: what a path below /v2/ names. Pure; fuzzed through the HTTP edge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/oci/reference.h"

namespace wherry::registry {

/// The endpoints of the distribution specification, and what it calls an extension: `_wherry/manifests`, the list of a
/// repository's manifests. The value labels a request's metrics.
enum class Endpoint : std::uint8_t {
  kOther,
  kPing,
  kCatalog,
  kTags,
  kManifest,
  kBlob,
  kReferrers,
  kUploads,
  kUpload,
  kManifests
};

/// An endpoint with the names that its path holds; the last part is not checked yet.
struct Route {
  Endpoint endpoint = Endpoint::kOther;
  std::optional<RepositoryName> repository;  ///< as it is kept: RegistryService::place()
  std::string asked;                         ///< the repository's name as the client wrote it
  std::string last;                          ///< Reference, digest or upload id.
};

/// Reads a path as sent (percent escapes are resolved once; where one is broken, or a slash is escaped, none is: no
/// grammar has a percent sign, so the part that holds it is refused as such). Errors: kNotFound when no endpoint has
/// that form, kNameInvalid for a repository name outside the grammar.
Result<Route> parse_route(std::string_view path);

/// The methods of an endpoint, as an Allow header lists them; `writable` adds those that change something.
std::string_view allowed_methods(Endpoint endpoint, bool writable);

}  // namespace wherry::registry
