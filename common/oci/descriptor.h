// What a manifest says of one of its parts, and what the referrers API says of a manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/oci/digest.h"

namespace wherry {

/// Keys and values in the order of the document; keys are unique when they were read by Manifest::parse.
using Annotations = std::vector<std::pair<std::string, std::string>>;

/// For which machine an entry of an index is; a part not given is empty.
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  friend bool operator==(const Platform&, const Platform&) = default;
};

/// Source: OCI image-spec, "Content Descriptors". `data` and unknown members are not kept.
struct Descriptor {
  std::string media_type;
  Digest digest;
  std::uint64_t size = 0;       ///< In bytes, at most 2^63 - 1.
  std::string artifact_type{};  ///< Empty when there is none.
  Annotations annotations{};
  std::optional<Platform> platform{};
  std::vector<std::string> urls{};

  /// One JSON object without spaces; members that are empty are left out.
  std::string to_json() const;

  friend bool operator==(const Descriptor&, const Descriptor&) = default;
};

}  // namespace wherry
