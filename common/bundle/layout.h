// What a bundle is made of: the files in it, in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/oci/digest.h"

namespace wherry::bundle {

// An OCI image layout (image-spec 1.1, "OCI Image Layout Specification") with what makes it believable beside it:
//   oci-layout
//   wherry/snapshot or wherry/feed   the records that the master signed: all names, or entries and their heads
//   blobs/<alg>/<hex>                manifests
//   wherry/manifests                 a line for each of them, in their order: digest, space, media type
//   blobs/<alg>/<hex>                configs and layers
//   index.json                       the tags, for other tools
//   wherry/bundle.json               Facts
inline constexpr std::string_view kLayoutFile = "oci-layout";
inline constexpr std::string_view kLayoutContent = R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr std::string_view kSnapshotFile = "wherry/snapshot";
inline constexpr std::string_view kFeedFile = "wherry/feed";
inline constexpr std::string_view kManifestsFile = "wherry/manifests";
inline constexpr std::string_view kIndexFile = "index.json";
inline constexpr std::string_view kFactsFile = "wherry/bundle.json";

inline constexpr std::size_t kMostManifests = 1'000'000;  ///< in one bundle
inline constexpr std::size_t kMostBlobs = 2'000'000;
inline constexpr std::size_t kMaxFactsBytes = 4096;

/// What the bundle says of itself, last. Nobody signs it: it lets damage to what the signatures do not cover be seen.
struct Facts {
  std::uint64_t since = 0;  ///< names up to this position are not in it; 0: it has all names
  std::uint64_t position = 0;
  std::uint64_t epoch = 0;
  std::optional<Digest> names{};  ///< of the snapshot or the feed
  std::optional<Digest> manifests{};
  std::optional<Digest> index{};

  /// One form for the same facts, so that readers compare and need not read.
  std::string to_json() const;
};

/// blobs/sha256/9f86...
std::string blob_file(const Digest& digest);
/// The digest that such a name is of; nothing for any other name.
std::optional<Digest> digest_of_blob_file(std::string_view name);

}  // namespace wherry::bundle
