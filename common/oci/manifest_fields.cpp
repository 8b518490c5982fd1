#include "common/oci/manifest_fields.h"

namespace wherry::manifest_fields {
namespace {

constexpr Key kRootKeys[] = {
    {"schemaVersion", "schemaversion", Field::kSchemaVersion},
    {"mediaType", "mediatype", Field::kMediaType},
    {"artifactType", "artifacttype", Field::kArtifactType},
    {"config", "config", Field::kConfig},
    {"subject", "subject", Field::kSubject},
    {"layers", "layers", Field::kLayers},
    {"manifests", "manifests", Field::kManifests},
    {"blobs", "blobs", Field::kBlobs},
    {"annotations", "annotations", Field::kAnnotations},
    {"fsLayers", "fslayers", Field::kFsLayers},
};
constexpr Key kDescriptorKeys[] = {
    {"mediaType", "mediatype", Field::kMediaType},
    {"digest", "digest", Field::kDigest},
    {"size", "size", Field::kSize},
    {"urls", "urls", Field::kUrls},
    {"artifactType", "artifacttype", Field::kArtifactType},
    {"annotations", "annotations", Field::kAnnotations},
    {"platform", "platform", Field::kPlatform},
};
constexpr Key kPlatformKeys[] = {
    {"os", "os", Field::kOs},
    {"architecture", "architecture", Field::kArchitecture},
    {"variant", "variant", Field::kVariant},
};

}  // namespace

std::span<const Key> keys_of(Scope scope) {
  switch (scope) {
    case Scope::kRoot: return kRootKeys;
    case Scope::kDescriptor: return kDescriptorKeys;
    case Scope::kPlatform: return kPlatformKeys;
    default: return {};
  }
}

std::string_view name_of(Field field) {
  for (const auto keys :
       {std::span<const Key>(kRootKeys), std::span<const Key>(kDescriptorKeys), std::span<const Key>(kPlatformKeys)})
    for (const Key& key : keys)
      if (key.field == field) return key.name;
  return "";
}

std::string_view form_of(Field field) {
  switch (field) {
    case Field::kSchemaVersion:
    case Field::kSize: return "a whole number that is not negative";
    case Field::kLayers:
    case Field::kManifests:
    case Field::kBlobs:
    case Field::kUrls: return "an array";
    case Field::kConfig:
    case Field::kSubject:
    case Field::kItem:
    case Field::kAnnotations:
    case Field::kPlatform: return "an object";
    default: return "a string";
  }
}

std::string fold(std::string_view key) {
  std::string out;
  while (!key.empty()) {
    if (key.starts_with("\u017f")) {
      out.push_back('s');
      key.remove_prefix(2);
    } else if (key.starts_with("\u212a")) {
      out.push_back('k');
      key.remove_prefix(3);
    } else {
      const char c = key[0];
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
      key.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace wherry::manifest_fields
