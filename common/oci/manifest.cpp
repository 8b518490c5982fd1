#include "common/oci/manifest.h"

#include <algorithm>
#include <utility>

#include "common/base/lower_case.h"
#include "common/oci/excerpt.h"
#include "common/oci/manifest_reader.h"
#include "common/oci/media_types.h"

namespace wherry {
namespace {

template <class... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::kManifestInvalid, fmt::format(format, std::forward<Args>(args)...));
}

Error schema1_refused() {
  return invalid("docker image manifests of schema 1 are not supported; push the image with a newer client");
}

/// The media type in front of the parameters, in the spelling of the known types where it differs only in case (RFC
/// 9110 compares types without case, and nobody should get past the checks by that).
std::string strip_parameters(std::string_view content_type) {
  constexpr std::string_view kBlank = " \t";
  content_type = content_type.substr(0, content_type.find(';'));
  const std::size_t first = content_type.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return "";
  content_type = content_type.substr(first, content_type.find_last_not_of(kBlank) - first + 1);
  std::string folded = lower_case(content_type);
  if (media_type::is_known_manifest(folded) || media_type::is_schema1(folded)) return folded;
  return std::string(content_type);
}

bool has_links(const ManifestShape& shape) {
  return shape.has_config || shape.has_layers || shape.has_manifests || shape.has_subject;
}

Error two_kinds() {
  return invalid("manifest has `manifests` beside `config` or `layers`: it would be an index and an image at once");
}

/// The type of a body that came without one.
Result<std::string> infer_type(const ManifestShape& shape) {
  if (!shape.syntax_problem.empty()) return invalid("manifest without a Content-Type {}", shape.syntax_problem);
  if (!shape.is_object) return invalid("manifest without a Content-Type is not a JSON object");
  if (!shape.media_type.empty()) return shape.media_type;
  const bool image = shape.has_config || shape.has_layers;
  if (shape.has_manifests && image) return two_kinds();
  if (shape.has_manifests) return std::string(media_type::kOciIndex);
  if (shape.has_config && shape.has_layers) return std::string(media_type::kOciManifest);
  return invalid("manifest has neither a Content-Type nor a mediaType, and its members do not tell what it is");
}

/// The rules of the four known types beyond those of every manifest.
Result<void> check_known(const ManifestShape& shape, std::string_view type) {
  if (shape.has_manifests && (shape.has_config || shape.has_layers)) return two_kinds();
  if (!shape.content_problem.empty()) return invalid("manifest: {}", shape.content_problem);
  if (shape.schema_version != 2) return invalid("manifest has no schemaVersion of 2, as its media type demands");
  if (media_type::is_index(type)) {
    if (!shape.has_manifests) return invalid("index has no `manifests`");
  } else {
    if (shape.has_manifests) return invalid("image manifest has `manifests`, which only an index has");
    if (!shape.config) return invalid("image manifest has no `config`");
  }
  return {};
}

/// The digests of those descriptors that `wanted` takes, each once, sorted.
class DigestSet {
 public:
  template <class Predicate>
  void add(const std::vector<Descriptor>& descriptors, Predicate wanted) {
    for (const Descriptor& descriptor : descriptors)
      if (wanted(descriptor)) digests_.push_back(descriptor.digest);
  }
  void add(const std::optional<Descriptor>& descriptor) {
    if (descriptor) digests_.push_back(descriptor->digest);
  }
  std::vector<Digest> take() && {
    std::ranges::sort(digests_);
    const auto repeated = std::ranges::unique(digests_);
    digests_.erase(repeated.begin(), repeated.end());
    return std::move(digests_);
  }

 private:
  std::vector<Digest> digests_;
};

bool is_kept_elsewhere(const Descriptor& layer) {
  return media_type::is_foreign_layer(layer.media_type) && !layer.urls.empty();
}
bool is_any(const Descriptor&) { return true; }
bool is_blob(const Descriptor& entry) { return media_type::is_known_blob(entry.media_type); }

}  // namespace

Result<Manifest> Manifest::parse(std::string_view bytes, std::string_view content_type) {
  if (bytes.size() > kMaxManifestBytes)
    return Error(ErrorKind::kTooLarge, "manifest has {} bytes; at most {} are allowed", bytes.size(),
                 kMaxManifestBytes);
  if (bytes.empty()) return invalid("manifest is empty");
  std::string type = strip_parameters(content_type);
  if (media_type::is_schema1(type)) return schema1_refused();

  ManifestShape shape = read_manifest(bytes);
  if (shape.is_object && shape.has_fs_layers && shape.schema_version == 1) return schema1_refused();
  if (type.empty()) {
    auto inferred = infer_type(shape);
    if (!inferred) return inferred.error();
    type = std::move(*inferred);
    if (media_type::is_schema1(type)) return schema1_refused();
  }
  if (!media_type::is_valid(type)) return invalid("{} is not a media type", excerpt(type));

  const bool known = media_type::is_known_manifest(type);
  Manifest manifest;
  manifest.media_type_ = std::move(type);
  if (known && !shape.syntax_problem.empty()) return invalid("manifest {}", shape.syntax_problem);
  if (known && !shape.is_object) return invalid("manifest is not a JSON object");
  const bool claims_known = shape.is_object && media_type::is_known_manifest(shape.media_type);
  if (!known && !claims_known && !(shape.is_object && has_links(shape))) return manifest;

  if (!shape.structure_problem.empty()) return invalid("manifest {}", shape.structure_problem);
  if (!shape.media_type.empty() && shape.media_type != manifest.media_type_)
    return invalid("manifest has the mediaType {} but came with the Content-Type {}", excerpt(shape.media_type),
                   excerpt(manifest.media_type_));
  if (known) {
    if (auto good = check_known(shape, manifest.media_type_); !good) return good.error();
    manifest.kind_ = media_type::is_index(manifest.media_type_) ? ManifestKind::kIndex : ManifestKind::kImage;
  } else {
    std::ranges::move(shape.blobs, std::back_inserter(shape.layers));
  }
  manifest.artifact_type_ = std::move(shape.artifact_type);
  manifest.config_ = std::move(shape.config);
  manifest.subject_ = std::move(shape.subject);
  manifest.layers_ = std::move(shape.layers);
  manifest.manifests_ = std::move(shape.manifests);
  manifest.annotations_ = std::move(shape.annotations);
  return manifest;
}

const std::string& Manifest::artifact_type() const {
  if (artifact_type_.empty() && kind_ == ManifestKind::kImage) return config_->media_type;
  return artifact_type_;
}

std::vector<Digest> Manifest::blob_children() const {
  DigestSet found;
  if (kind_ == ManifestKind::kImage) {
    found.add(config_);
    found.add(layers_, [](const Descriptor& layer) { return !is_kept_elsewhere(layer); });
  } else if (kind_ == ManifestKind::kIndex) {
    found.add(manifests_, is_blob);
  }
  return std::move(found).take();
}

std::vector<Digest> Manifest::manifest_children() const {
  DigestSet found;
  if (kind_ == ManifestKind::kIndex) found.add(manifests_, [](const Descriptor& entry) { return !is_blob(entry); });
  return std::move(found).take();
}

std::vector<Digest> Manifest::optional_children() const {
  DigestSet found;
  if (kind_ == ManifestKind::kImage) {
    found.add(layers_, is_kept_elsewhere);
  } else if (kind_ == ManifestKind::kOpaque) {
    found.add(config_);
    found.add(layers_, is_any);
    found.add(manifests_, is_any);
  }
  return std::move(found).take();
}

Descriptor Manifest::referrer_descriptor(const Digest& digest, std::uint64_t size_bytes) const {
  return Descriptor{.media_type = media_type_,
                    .digest = digest,
                    .size = size_bytes,
                    .artifact_type = artifact_type(),
                    .annotations = annotations_};
}

}  // namespace wherry
