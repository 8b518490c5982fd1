// The list of manifests that are about another one: the answer of the referrers API, and its fallback, the index that
// clients keep under a tag where a registry has no such API.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/oci/descriptor.h"

namespace wherry {

/// An OCI index (media_type::kOciIndex) that lists `descriptors`, each the JSON of one as Descriptor::to_json() wrote
/// it; they go in as they are, in this order. One allocation; an empty list is the right answer for a subject without
/// referrers. Source: distribution-spec 1.1.1, "Listing Referrers".
std::string referrers_index(std::span<const std::string> descriptors);

/// The descriptors in the index under a fallback tag. Clients wrote it, some of them with a wrong artifactType or
/// without annotations: trust only the digests, and read the rest from the manifests that they name. Errors: those of
/// Manifest::parse, for it must be a good OCI index.
Result<std::vector<Descriptor>> parse_fallback_index(std::string_view bytes);

/// The fallback tag of a subject, "<algorithm>-<hex>": algorithm and hex cut to 32 and 64 characters, as the
/// distribution-spec says in "Referrers Tag Schema".
std::string fallback_tag(const Digest& subject);

}  // namespace wherry
