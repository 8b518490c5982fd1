// Which members of a manifest mean something to a registry, and what they must be: a new one is a line in these tables.
// Only for manifest_reader.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wherry::manifest_fields {

/// A value that the reader knows by its place in the document.
enum class Field : std::uint8_t {
  kOther,
  kDocument,
  kSchemaVersion,
  kMediaType,
  kArtifactType,
  kConfig,
  kSubject,
  kLayers,
  kManifests,
  kBlobs,
  kFsLayers,
  kItem,  ///< An element of layers, manifests or blobs.
  kDigest,
  kSize,
  kUrls,
  kUrl,
  kAnnotations,
  kAnnotation,
  kPlatform,
  kOs,
  kArchitecture,
  kVariant,
};

/// What an open object or array is.
enum class Scope : std::uint8_t { kOther, kRoot, kList, kDescriptor, kAnnotations, kPlatform, kUrls };

/// A member that the reader knows: as it is written, and folded as fold() does.
struct Key {
  std::string_view name;
  std::string_view folded;
  Field field;
};

/// The members of an object that is a `scope`; none where any key may stand.
std::span<const Key> keys_of(Scope scope);

/// How a field is written, empty for what has no name of its own.
std::string_view name_of(Field field);

/// What its value must be, for messages: "a string", "an object"...
std::string_view form_of(Field field);

/// `key` as Go's encoding/json compares it: ASCII case folded, and with it U+017F (long s) and U+212A (kelvin sign).
std::string fold(std::string_view key);

}  // namespace wherry::manifest_fields
