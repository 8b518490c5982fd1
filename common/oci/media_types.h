// The media types that mean something to a registry, and questions about them. All comparisons are exact: clients
// compare so, too. Sources: OCI image-spec 1.1 "Media Types", docker distribution "Image Manifest V2, Schema 2".
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace wherry::media_type {

inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciEmpty = "application/vnd.oci.empty.v1+json";
inline constexpr std::string_view kOciLayer = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kOciNondistributablePrefix = "application/vnd.oci.image.layer.nondistributable.";

inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerForeignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

inline constexpr std::string_view kDockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json";
inline constexpr std::string_view kDockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Of a blob's bytes, whatever they are.
inline constexpr std::string_view kBlobBytes = "application/octet-stream";

/// The Accept header of who wants a manifest as it is: every form there is, then anything.
inline constexpr std::string_view kAcceptManifests =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, "
    "*/*";

/// RFC 6838 allows 127 bytes on each side of the slash.
inline constexpr std::size_t kMaxMediaTypeBytes = 255;

constexpr bool is_index(std::string_view type) { return type == kOciIndex || type == kDockerList; }
constexpr bool is_image_manifest(std::string_view type) { return type == kOciManifest || type == kDockerManifest; }
constexpr bool is_known_manifest(std::string_view type) { return is_index(type) || is_image_manifest(type); }
constexpr bool is_schema1(std::string_view type) { return type == kDockerSchema1 || type == kDockerSchema1Signed; }

/// A layer that its publisher keeps elsewhere: with `urls` in its descriptor, registries need not hold it.
constexpr bool is_foreign_layer(std::string_view type) {
  return type == kDockerForeignLayer || type.starts_with(kOciNondistributablePrefix);
}

/// A type that surely names a blob. An index may list such: BuildKit's cache puts layers and its configuration into
/// one.
constexpr bool is_known_blob(std::string_view type) {
  return type.starts_with("application/vnd.oci.image.layer.") ||
         type.starts_with("application/vnd.oci.image.config.") ||
         type.starts_with("application/vnd.docker.image.rootfs.") ||
         type.starts_with("application/vnd.docker.container.image.") ||
         type.starts_with("application/vnd.buildkit.cacheconfig.") || type == kOciEmpty;
}

/// RFC 9110 "tchar": what the two halves of a media type are made of.
constexpr bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").contains(c);
}

/// token "/" token without parameters, at most kMaxMediaTypeBytes. O(n). Such a text is safe in a header.
constexpr bool is_valid(std::string_view type) {
  const std::size_t slash = type.find('/');
  return slash != std::string_view::npos && slash > 0 && slash + 1 < type.size() && type.size() <= kMaxMediaTypeBytes &&
         std::ranges::all_of(type.substr(0, slash), is_token_char) &&
         std::ranges::all_of(type.substr(slash + 1), is_token_char);
}

}  // namespace wherry::media_type
