#include "master/replication/image_facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace wherry::replication {
namespace {

constexpr std::string_view kCreatedAnnotation = "org.opencontainers.image.created";
constexpr int kMaxConfigDepth = 64;

std::string text_in(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

void keep_newest(std::string& created, const std::string& other) {
  // RFC 3339 in UTC sorts as text; other offsets sort wrong by hours at most, and no builder writes them.
  if (other > created) created = other;
}

void read_manifest_itself(const Manifest& manifest, ImageFacts& facts) {
  facts.media_types.insert(manifest.media_type());
  if (!manifest.artifact_type().empty()) facts.media_types.insert(manifest.artifact_type());
  for (const auto& [name, value] : manifest.annotations())
    if (name == kCreatedAnnotation) keep_newest(facts.created, value);
  for (const Descriptor& entry : manifest.manifests())
    if (entry.platform) facts.platforms.push_back(*entry.platform);
}

Task<Result<std::string>> read_whole(Source& source, const RepositoryName& repository, const Descriptor& config) {
  if (config.size > ImageFacts::kMaxConfigBytes) co_return std::string();
  auto body = co_await source.open(repository, config);
  if (!body && body.error().kind() == ErrorKind::kBlobUnknown) co_return std::string();
  if (!body) co_return body.error();
  std::string bytes;
  if ((*body)->size() > ImageFacts::kMaxConfigBytes) co_return bytes;
  while (bytes.size() < (*body)->size()) {
    auto piece = co_await (*body)->read(bytes.size(), (*body)->size() - bytes.size());
    if (!piece) co_return piece.error();
    bytes.append(reinterpret_cast<const char*>(piece->bytes().data()), piece->size());
  }
  co_return bytes;
}

}  // namespace

void read_config(std::string_view json, ImageFacts& facts) {
  bool too_deep = false;
  const auto bounded = [&](int depth, nlohmann::json::parse_event_t, const nlohmann::json&) {
    too_deep = too_deep || depth > kMaxConfigDepth;
    return !too_deep;
  };
  const auto config = nlohmann::json::parse(json, bounded, false);
  if (too_deep || !config.is_object()) return;
  keep_newest(facts.created, text_in(config, "created"));
  Platform platform{text_in(config, "os"), text_in(config, "architecture"), text_in(config, "variant")};
  if (!platform.os.empty()) facts.platforms.push_back(std::move(platform));
  std::map<std::string, std::string> labels;
  const auto inner = config.find("config");
  if (inner != config.end() && inner->is_object() && inner->contains("Labels") && (*inner)["Labels"].is_object())
    for (const auto& [name, value] : (*inner)["Labels"].items())
      if (value.is_string()) labels.emplace(name, value.get<std::string>());
  facts.labels.push_back(std::move(labels));
}

bool ImageFacts::fit(const Filters& filters) const {
  if (!filters.media_types.empty() &&
      std::ranges::none_of(filters.media_types, [&](const auto& type) { return media_types.contains(type); }))
    return false;
  if (!filters.platforms.empty()) {
    const auto wanted = PlatformChoice::parse(filters.platforms);
    const auto fits = [&](const Platform& platform) {
      Descriptor entry{"", Digest::of(DigestAlgorithm::kSha256, std::string_view())};
      entry.platform = platform;
      return wanted && wanted->wants(entry);
    };
    if (std::ranges::none_of(platforms, fits)) return false;
  }
  if (filters.labels.empty()) return true;
  return std::ranges::any_of(labels, [&](const auto& each) {
    return std::ranges::all_of(filters.labels, [&](const auto& label) {
      const auto found = each.find(label.first);
      return found != each.end() && found->second == label.second;
    });
  });
}

Task<Result<ImageFacts>> read_facts(Source& source, const RepositoryName& repository, Digest digest,
                                    const Filters& filters) {
  ImageFacts facts;
  const bool wants_configs = !filters.labels.empty() || !filters.platforms.empty() || filters.latest > 0;
  std::vector<Digest> left{digest};
  for (std::size_t read = 0; !left.empty() && read <= ImageFacts::kMaxImages; ++read) {
    const Reference reference(left.back());
    const bool is_top = read == 0;
    left.pop_back();
    auto stored = co_await source.manifest(repository, reference);
    if (!stored && !is_top && stored.error().kind() == ErrorKind::kManifestUnknown) continue;
    if (!stored) co_return stored.error();
    auto manifest = Manifest::parse(stored->bytes(), stored->media_type());
    if (!manifest) continue;
    if (is_top) read_manifest_itself(*manifest, facts);
    if (!wants_configs) break;
    for (const Digest& child : manifest->manifest_children()) left.push_back(child);
    if (!manifest->config()) continue;
    auto config = co_await read_whole(source, repository, *manifest->config());
    if (!config) co_return config.error();
    read_config(*config, facts);
  }
  co_return facts;
}

}  // namespace wherry::replication
