#include "node/eviction/manifest_facts.h"

#include <algorithm>

#include "common/oci/manifest.h"

namespace wherry::node {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 50;  // a manifest may state anything; sums must not overflow

}  // namespace

ManifestFacts facts_of(std::string_view media_type, std::string_view bytes) {
  ManifestFacts facts;
  facts.manifest_bytes = bytes.size();
  const auto manifest = Manifest::parse(bytes, media_type);
  if (!manifest) return facts;
  facts.blobs = manifest->blob_children();
  facts.children = manifest->manifest_children();
  const auto add = [&](const Descriptor& descriptor) {
    facts.blob_bytes = std::min(kMostBytes, facts.blob_bytes + std::min(kMostBytes, descriptor.size));
  };
  if (manifest->config()) add(*manifest->config());
  for (const Descriptor& layer : manifest->layers()) add(layer);
  return facts;
}

}  // namespace wherry::node
