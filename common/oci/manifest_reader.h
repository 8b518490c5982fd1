// The JSON half of Manifest::parse: one pass over the bytes that notes what is there and what is wrong, and judges
// nothing. Only for manifest.cpp and tests.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/oci/descriptor.h"

namespace wherry {

/// What a document holds. Problems are texts for people, empty when there is none, and name the first of their class.
struct ManifestShape {
  std::string syntax_problem;     ///< Not one JSON text in UTF-8; nothing else below means anything then.
  std::string structure_problem;  ///< Too deep, too many, or a key twice in an object, anywhere in the tree.
  std::string content_problem;    ///< A known member that is not of its form.
  bool is_object = false;

  // Whether the root has the member, of whatever form, null included.
  bool has_config = false;
  bool has_layers = false;
  bool has_manifests = false;
  bool has_subject = false;
  bool has_fs_layers = false;

  // What was well formed of it.
  std::optional<std::uint64_t> schema_version;
  std::string media_type;
  std::string artifact_type;
  std::optional<Descriptor> config;
  std::optional<Descriptor> subject;
  std::vector<Descriptor> layers;
  std::vector<Descriptor> manifests;
  std::vector<Descriptor> blobs;  ///< Of the withdrawn OCI artifact manifest; problems in it are not noted.
  Annotations annotations;
};

/// Reads `bytes`, which are at most kMaxManifestBytes. No document tree is built: memory follows what is kept, within
/// the bounds of manifest.h. Does not throw, save for std::bad_alloc.
ManifestShape read_manifest(std::string_view bytes);

}  // namespace wherry
