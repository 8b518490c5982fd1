#include "common/oci/referrers_index.h"

#include <numeric>

#include "common/oci/manifest.h"
#include "common/oci/media_types.h"

namespace wherry {

std::string referrers_index(std::span<const std::string> descriptors) {
  constexpr std::string_view kHead =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)";
  constexpr std::string_view kTail = "]}";
  static_assert(kHead.contains(media_type::kOciIndex));
  std::string out;
  out.reserve(std::accumulate(descriptors.begin(), descriptors.end(), kHead.size() + kTail.size(),
                              [](std::size_t sum, const std::string& json) { return sum + json.size() + 1; }));
  out.append(kHead);
  for (const std::string& json : descriptors) {
    if (out.size() > kHead.size()) out.push_back(',');
    out.append(json);
  }
  out.append(kTail);
  return out;
}

Result<std::vector<Descriptor>> parse_fallback_index(std::string_view bytes) {
  const auto manifest = Manifest::parse(bytes, media_type::kOciIndex);
  if (!manifest) return manifest.error();
  return manifest->manifests();
}

std::string fallback_tag(const Digest& subject) {
  return std::string(subject.algorithm_name()) + "-" + subject.hex().substr(0, 64);
}

}  // namespace wherry
