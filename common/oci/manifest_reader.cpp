#include "common/oci/manifest_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "common/oci/excerpt.h"
#include "common/oci/manifest.h"
#include "common/oci/manifest_fields.h"
#include "common/oci/media_types.h"

namespace wherry {
namespace {

using manifest_fields::Field;
using manifest_fields::fold;
using manifest_fields::form_of;
using manifest_fields::Key;
using manifest_fields::keys_of;
using manifest_fields::name_of;
using manifest_fields::Scope;

constexpr std::size_t kMaxFoldedKeyBytes = 64;  // a longer key cannot fold to a known one

/// A descriptor while its object is open.
struct OpenDescriptor {
  Field list = Field::kOther;  ///< kConfig, kSubject, kLayers, kManifests or kBlobs.
  std::size_t index = 0;       ///< Within the list.
  bool broken = false;
  std::string media_type;
  std::optional<Digest> digest;
  std::optional<std::uint64_t> size;
  std::string artifact_type;
  Annotations annotations;
  std::optional<Platform> platform;
  std::vector<std::string> urls;
};

/// The SAX handler. It goes on after every problem, so that the end of the document tells which problems matter.
class Reader {
 public:
  using Json = nlohmann::json;

  explicit Reader(ManifestShape& shape) : shape_(shape) {}

  // --- what nlohmann::json::sax_parse calls; `true` means go on ---
  bool null() {
    const Field field = here();
    if (field == Field::kItem || field == Field::kUrl) wrong_form(field);
    return true;
  }
  bool boolean(bool) { return wrong_form(here()); }
  bool number_float(double, const std::string&) { return wrong_form(here()); }
  bool number_integer(std::int64_t) { return wrong_form(here()); }  // only negative ones come here
  bool number_unsigned(std::uint64_t value) {
    const Field field = here();
    if (field == Field::kSchemaVersion) {
      shape_.schema_version = value;
    } else if (field != Field::kSize) {
      wrong_form(field);
    } else if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fault(field, "is larger than 2^63 - 1");
    } else {
      open_.size = value;
    }
    return true;
  }
  bool string(std::string& value);
  bool binary(Json::binary_t&) { return false; }
  bool key(std::string& key);
  bool start_object(std::size_t);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array() {
    if (depth_-- > kMaxManifestDepth) return true;
    if (frames_.back().scope == Scope::kList) list_ = Field::kOther;
    frames_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& error) {
    const bool utf8 = std::string_view(error.what()).contains("UTF-8");
    shape_.syntax_problem = fmt::format("is not valid {} at byte {}", utf8 ? "UTF-8" : "JSON", position);
    return false;
  }

 private:
  struct Frame {
    Scope scope;
    std::size_t first_key;  ///< Where its keys start in open_keys_.
  };

  /// What the value that comes now is.
  Field here() const {
    if (depth_ > kMaxManifestDepth) return Field::kOther;
    if (frames_.empty()) return Field::kDocument;
    switch (frames_.back().scope) {
      case Scope::kRoot:
      case Scope::kDescriptor:
      case Scope::kPlatform: return key_field_;
      case Scope::kList: return Field::kItem;
      case Scope::kAnnotations: return Field::kAnnotation;
      case Scope::kUrls: return Field::kUrl;
      case Scope::kOther: break;
    }
    return Field::kOther;
  }

  void structure(std::string_view problem) {
    if (shape_.structure_problem.empty()) shape_.structure_problem = problem;
  }

  /// Notes that `field`, here, is not as it has to be, and that the descriptor around it is of no use.
  void fault(Field field, std::string_view problem) {
    if (in_descriptor_) open_.broken = true;
    if (list_ == Field::kBlobs || !shape_.content_problem.empty()) return;
    shape_.content_problem = fmt::format("{} {}", path(field), problem);
  }

  bool wrong_form(Field field) {
    if (field == Field::kOther || field == Field::kDocument) return true;
    if (field == Field::kBlobs || field == Field::kFsLayers) return true;  // no members of the known types
    fault(field, fmt::format("must be {}", form_of(field)));
    return true;
  }

  std::string path(Field field) const {
    std::string out;
    if (list_ != Field::kOther) out = fmt::format("{}[{}]", name_of(list_), next_index_);
    if (in_descriptor_ && list_ == Field::kOther) out = name_of(open_.list);
    std::string_view name = name_of(field);
    if (field == Field::kAnnotation) name = "annotations";
    if (field == Field::kUrl) name = "urls";
    if (!out.empty() && !name.empty()) out.push_back('.');
    if (out.empty() && name.empty()) name = "the root";
    out.append(name);
    if (field == Field::kAnnotation) out.append(fmt::format("[{}]", excerpt(key_)));
    return out;
  }

  Scope open_descriptor(Field field);
  void close_descriptor();
  void open_scope(Scope scope) { frames_.push_back({scope, open_keys_.size()}); }
  /// Counts a level; false when it is too deep to be looked at.
  bool enter() {
    if (++depth_ <= kMaxManifestDepth) return true;
    structure(fmt::format("has JSON nested deeper than {} levels", kMaxManifestDepth));
    return false;
  }

  ManifestShape& shape_;
  std::vector<Frame> frames_;
  std::vector<std::string> open_keys_;  ///< The keys of all open objects, one object after the other.
  std::size_t depth_ = 0;
  Field key_field_ = Field::kOther;
  std::string key_;  ///< Of the annotation whose value comes next.
  OpenDescriptor open_;
  bool in_descriptor_ = false;  ///< Whether open_ is; descriptors do not stand inside each other.
  Field list_ = Field::kOther;  ///< The list that is open, if one is.
  std::size_t next_index_ = 0;  ///< Of the element in that list that is open or comes next.
  std::size_t descriptors_ = 0;
  std::size_t annotations_ = 0;
  std::size_t urls_ = 0;
};

bool Reader::string(std::string& value) {
  const Field field = here();
  switch (field) {
    case Field::kMediaType: (in_descriptor_ ? open_.media_type : shape_.media_type) = value; break;
    case Field::kArtifactType: (in_descriptor_ ? open_.artifact_type : shape_.artifact_type) = value; break;
    case Field::kDigest:
      if (const auto digest = Digest::parse(value)) {
        open_.digest = *digest;
      } else {
        fault(field, fmt::format("is wrong: {}", digest.error().message()));
      }
      break;
    case Field::kAnnotation:
      if (++annotations_ > kMaxManifestAnnotations) {
        structure(fmt::format("has more than {} annotations", kMaxManifestAnnotations));
      } else {
        (in_descriptor_ ? open_.annotations : shape_.annotations).emplace_back(std::move(key_), value);
      }
      break;
    case Field::kUrl:
      if (++urls_ > kMaxManifestUrls) {
        structure(fmt::format("has more than {} urls", kMaxManifestUrls));
      } else {
        open_.urls.push_back(value);
      }
      break;
    case Field::kOs: open_.platform->os = value; break;
    case Field::kArchitecture: open_.platform->architecture = value; break;
    case Field::kVariant: open_.platform->variant = value; break;
    default: wrong_form(field);
  }
  return true;
}

bool Reader::key(std::string& key) {
  if (depth_ > kMaxManifestDepth) return true;
  if (open_keys_.size() < kMaxManifestOpenKeys) {
    open_keys_.push_back(key);
  } else {
    structure(fmt::format("has objects with more than {} keys", kMaxManifestOpenKeys));
  }
  const Scope scope = frames_.back().scope;
  key_field_ = Field::kOther;
  if (scope == Scope::kAnnotations) key_ = key;
  const auto known = keys_of(scope);
  if (known.empty()) return true;
  if (const auto found = std::ranges::find(known, key, &Key::name); found != known.end()) {
    key_field_ = found->field;
    if (scope != Scope::kRoot) return true;
    shape_.has_config |= key_field_ == Field::kConfig;
    shape_.has_layers |= key_field_ == Field::kLayers;
    shape_.has_manifests |= key_field_ == Field::kManifests;
    shape_.has_subject |= key_field_ == Field::kSubject;
    shape_.has_fs_layers |= key_field_ == Field::kFsLayers;
  } else if (key.size() <= kMaxFoldedKeyBytes) {
    const std::string folded = fold(key);
    for (const Key& candidate : known)
      if (candidate.folded == folded)
        fault(Field::kOther,
              fmt::format("has the key {}, which some readers take for '{}'", excerpt(key), candidate.name));
  }
  return true;
}

bool Reader::start_object(std::size_t) {
  const Field field = here();
  if (!enter()) return true;
  Scope scope = Scope::kOther;
  switch (field) {
    case Field::kDocument:
      shape_.is_object = true;
      scope = Scope::kRoot;
      break;
    case Field::kConfig:
    case Field::kSubject:
    case Field::kItem: scope = open_descriptor(field); break;
    case Field::kAnnotations: scope = Scope::kAnnotations; break;
    case Field::kPlatform:
      open_.platform.emplace();
      scope = Scope::kPlatform;
      break;
    default: wrong_form(field);
  }
  open_scope(scope);
  return true;
}

bool Reader::end_object() {
  if (depth_-- > kMaxManifestDepth) return true;
  const Frame frame = frames_.back();
  const auto keys = std::span(open_keys_).subspan(frame.first_key);
  std::ranges::sort(keys);
  if (const auto twice = std::ranges::adjacent_find(keys); twice != keys.end())
    structure(fmt::format("has the key {} twice in one object", excerpt(*twice)));
  open_keys_.resize(frame.first_key);
  if (frame.scope == Scope::kDescriptor) close_descriptor();
  frames_.pop_back();
  // An object that stood in a list of descriptors, of use or not, is one element of it.
  if (!frames_.empty() && frames_.back().scope == Scope::kList) ++next_index_;
  return true;
}

bool Reader::start_array(std::size_t) {
  const Field field = here();
  if (!enter()) return true;
  Scope scope = Scope::kOther;
  if (field == Field::kLayers || field == Field::kManifests || field == Field::kBlobs) {
    scope = Scope::kList;
    list_ = field;
    next_index_ = 0;
  } else if (field == Field::kUrls) {
    scope = Scope::kUrls;
  } else {
    wrong_form(field);
  }
  open_scope(scope);
  return true;
}

Scope Reader::open_descriptor(Field field) {
  if (++descriptors_ > kMaxManifestDescriptors) {
    structure(fmt::format("has more than {} descriptors", kMaxManifestDescriptors));
    return Scope::kOther;
  }
  in_descriptor_ = true;
  open_ = {};
  open_.list = field;
  if (field == Field::kItem) open_.list = list_;
  return Scope::kDescriptor;
}

void Reader::close_descriptor() {
  if (open_.media_type.empty()) fault(Field::kMediaType, "is missing");
  if (open_.media_type.size() > media_type::kMaxMediaTypeBytes) fault(Field::kMediaType, "is too long");
  if (!open_.digest) fault(Field::kDigest, "is missing");
  if (!open_.size) fault(Field::kSize, "is missing");
  in_descriptor_ = false;
  if (open_.broken) return;
  Descriptor descriptor{.media_type = std::move(open_.media_type),
                        .digest = *open_.digest,
                        .size = *open_.size,
                        .artifact_type = std::move(open_.artifact_type),
                        .annotations = std::move(open_.annotations),
                        .platform = std::move(open_.platform),
                        .urls = std::move(open_.urls)};
  switch (open_.list) {
    case Field::kConfig: shape_.config = std::move(descriptor); break;
    case Field::kSubject: shape_.subject = std::move(descriptor); break;
    case Field::kLayers: shape_.layers.push_back(std::move(descriptor)); break;
    case Field::kManifests: shape_.manifests.push_back(std::move(descriptor)); break;
    default: shape_.blobs.push_back(std::move(descriptor));
  }
}

}  // namespace

ManifestShape read_manifest(std::string_view bytes) {
  ManifestShape shape;
  // nlohmann takes a byte order mark, and a NUL for the end; others do neither.
  if (bytes.starts_with("\xef\xbb\xbf")) {
    shape.syntax_problem = "starts with a byte order mark";
    return shape;
  }
  if (const std::size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    shape.syntax_problem = fmt::format("is not valid JSON: it has a NUL at byte {}", nul + 1);
    return shape;
  }
  Reader reader(shape);
  if (!nlohmann::json::sax_parse(bytes.begin(), bytes.end(), &reader)) shape.is_object = false;
  return shape;
}

}  // namespace wherry
