// A manifest as the registry understands it: read once, checked once, its bytes never touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/oci/descriptor.h"
#include "common/oci/digest.h"

namespace wherry {

/// Bounds of what is read; they bound the memory of a parse, too. Measured for hostile bodies of 4 MiB: at most 100 ms,
/// and beside the body a peak of 17 MiB when it is good JSON, 32 MiB when it is one huge broken string (nlohmann copies
/// that into its message). A usual image manifest of 2 KiB: 10 us. So parse large ones on the pool, and few at a time.
inline constexpr std::size_t kMaxManifestBytes = 4'194'304;  ///< 4 MiB; the distribution-spec asks for at least 4 MB.
inline constexpr std::size_t kMaxManifestDepth = 32;  ///< Objects and arrays inside each other, the root counted.
inline constexpr std::size_t kMaxManifestDescriptors = 10'000;  ///< In all lists together.
inline constexpr std::size_t kMaxManifestAnnotations = 16'384;  ///< In all objects together.
inline constexpr std::size_t kMaxManifestUrls = 4'096;          ///< In all descriptors together.
inline constexpr std::size_t kMaxManifestOpenKeys = 16'384;     ///< Keys of the objects that are open at one point.

enum class ManifestKind {
  kImage,   ///< OCI image manifest or docker schema 2: config and layers.
  kIndex,   ///< OCI index or docker list: other manifests.
  kOpaque,  ///< Any other media type: stored and served, never interpreted further than its links.
};

/// A parsed manifest. Owns what it gives out and does not keep the bytes.
class Manifest {
 public:
  /// Reads and checks `bytes` as what `content_type` (the header, parameters allowed, may be empty) says they are.
  ///
  /// An empty type is taken from the body's mediaType, else from its shape. Of the four known types (OCI manifest and
  /// index, docker schema 2 and list) everything that two readers could understand differently is refused: what is not
  /// one JSON object in UTF-8, duplicate keys or keys that differ from a known one only in case (Go's reader does not
  /// tell them apart) where a known key may stand, `manifests` beside `config` or `layers` (CVE-2021-41190), a
  /// body's mediaType other than the Content-Type, a schemaVersion other than 2, descriptors without type, valid digest
  /// or size. `null` is as good as absent. Any other media type is opaque: when its body is a JSON object with subject,
  /// config, layers or manifests, bounds, duplicate keys and mediaType are checked in the same way, and its well-formed
  /// links are taken; else it is mere bytes. Schema 1 is refused under any type.
  ///
  /// O(n log n), one pass, memory bounded by the constants above. Errors: kTooLarge over kMaxManifestBytes, else
  /// kManifestInvalid with a message that names the place. Sources: OCI image-spec 1.1, distribution-spec 1.1.1.
  static Result<Manifest> parse(std::string_view bytes, std::string_view content_type);

  /// What to send as Content-Type: without parameters, never empty, a valid media type.
  const std::string& media_type() const { return media_type_; }
  ManifestKind kind() const { return kind_; }

  const std::optional<Descriptor>& config() const { return config_; }
  const std::vector<Descriptor>& layers() const { return layers_; }
  const std::vector<Descriptor>& manifests() const { return manifests_; }
  /// The manifest that this one is about; it need not exist.
  const std::optional<Descriptor>& subject() const { return subject_; }
  const Annotations& annotations() const { return annotations_; }

  /// As the referrers API lists it: artifactType, else of an image manifest config.mediaType, else empty.
  const std::string& artifact_type() const;

  /// The blobs (manifests) that must be in the repository before this manifest may be. Each once, sorted, O(n log n).
  /// Entries of an index that surely are no manifests (BuildKit's cache) are blobs; none of an opaque manifest is
  /// required.
  std::vector<Digest> blob_children() const;
  std::vector<Digest> manifest_children() const;

  /// Children that a push need not have sent but that collection has to keep when they are there: foreign layers with
  /// `urls`, and whatever an opaque manifest links to (except its subject). May be blobs or manifests. Each once,
  /// sorted.
  std::vector<Digest> optional_children() const;

  /// The entry for this manifest in the referrers list of its subject; `digest` and `size` are those of its bytes.
  Descriptor referrer_descriptor(const Digest& digest, std::uint64_t size_bytes) const;

 private:
  Manifest() = default;

  std::string media_type_;
  ManifestKind kind_ = ManifestKind::kOpaque;
  std::string artifact_type_;
  std::optional<Descriptor> config_;
  std::optional<Descriptor> subject_;
  std::vector<Descriptor> layers_;
  std::vector<Descriptor> manifests_;
  Annotations annotations_;
};

}  // namespace wherry
