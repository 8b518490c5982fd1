// Manifests: no input crashes, and what is accepted keeps its promises, checked against a document tree of nlohmann's.
// The first byte of an input chooses the Content-Type, the rest is the body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/oci/manifest.h"
#include "common/oci/media_types.h"
#include "common/oci/referrers_index.h"

namespace {

using nlohmann::json;
using wherry::Manifest;
using wherry::ManifestKind;

constexpr std::string_view kTypes[] = {"",
                                       wherry::media_type::kOciManifest,
                                       wherry::media_type::kOciIndex,
                                       wherry::media_type::kDockerManifest,
                                       wherry::media_type::kDockerList,
                                       "application/vnd.example+json; charset=utf-8",
                                       wherry::media_type::kDockerSchema1};

std::size_t depth_of(const json& value) {
  if (!value.is_structured()) return 0;
  std::size_t deepest = 0;
  for (const json& child : value) deepest = std::max(deepest, depth_of(child));
  return deepest + 1;
}

/// Whether the body, read the plain way, has an object with a key twice.
bool has_key_twice(std::string_view body) {
  std::vector<std::set<std::string>> open;
  bool twice = false;
  const auto callback = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::key && !open.back().insert(value.get<std::string>()).second) twice = true;
    if (event == json::parse_event_t::object_end) open.pop_back();
    return true;
  };
  [[maybe_unused]] const json tree = json::parse(body, callback, false);
  return twice;
}

/// What every descriptor that is given out promises, and that its JSON reads back as itself.
void check(const wherry::Descriptor& descriptor) {
  WHERRY_CHECK(!descriptor.media_type.empty() && descriptor.size <= INT64_MAX);
  const std::vector<std::string> stored = {descriptor.to_json()};
  const auto read = wherry::parse_fallback_index(wherry::referrers_index(stored));
  WHERRY_CHECK(read && read->size() == 1);
  wherry::Descriptor expected = descriptor;
  WHERRY_CHECK(read->front() == expected);
}

void check_against_tree(const Manifest& manifest, std::string_view body) {
  const json tree = json::parse(body, nullptr, false);
  WHERRY_CHECK(tree.is_object());
  WHERRY_CHECK(tree.value("schemaVersion", json()) == 2);
  WHERRY_CHECK(depth_of(tree) <= wherry::kMaxManifestDepth);
  WHERRY_CHECK(!has_key_twice(body));
  if (tree.contains("mediaType") && !tree["mediaType"].is_null() && tree["mediaType"] != "")
    WHERRY_CHECK(tree["mediaType"] == manifest.media_type());
  const bool image = manifest.kind() == ManifestKind::kImage;
  WHERRY_CHECK(tree.contains("manifests") == !image);
  WHERRY_CHECK(image || (!tree.contains("layers") && !tree.contains("config")));
  const auto& list = image ? manifest.layers() : manifest.manifests();
  const json written = tree.value(image ? "layers" : "manifests", json());
  WHERRY_CHECK(written.size() == list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    WHERRY_CHECK(written[i]["digest"] == list[i].digest.to_string());
    WHERRY_CHECK(written[i]["size"] == list[i].size);
    WHERRY_CHECK(written[i]["mediaType"] == list[i].media_type);
  }
  if (image) WHERRY_CHECK(manifest.config() && tree["config"]["digest"] == manifest.config()->digest.to_string());
  const bool subject = tree.contains("subject") && !tree["subject"].is_null();
  WHERRY_CHECK(subject == manifest.subject().has_value());
  if (subject) WHERRY_CHECK(tree["subject"]["digest"] == manifest.subject()->digest.to_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view type = kTypes[data[0] % std::size(kTypes)];
  const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto manifest = Manifest::parse(body, type);
  if (!manifest) {
    WHERRY_CHECK(manifest.error().kind() == wherry::ErrorKind::kManifestInvalid);
    WHERRY_CHECK(!manifest.error().message().empty() && manifest.error().message().size() < 400);
    return 0;
  }
  WHERRY_CHECK(wherry::media_type::is_valid(manifest->media_type()));
  WHERRY_CHECK(!wherry::media_type::is_schema1(manifest->media_type()));
  if (manifest->kind() == ManifestKind::kOpaque) {
    WHERRY_CHECK(!wherry::media_type::is_known_manifest(manifest->media_type()));
    WHERRY_CHECK(manifest->blob_children().empty() && manifest->manifest_children().empty());
  } else {
    check_against_tree(*manifest, body);
  }
  for (const auto* list : {&manifest->layers(), &manifest->manifests()})
    for (const auto& descriptor : *list) check(descriptor);
  if (manifest->config()) check(*manifest->config());
  if (manifest->subject()) check(*manifest->subject());
  auto entry = manifest->referrer_descriptor(wherry::Digest::of(wherry::DigestAlgorithm::kSha256, body), body.size());
  check(entry);
  return 0;
}
