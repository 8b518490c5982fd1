// A registry in memory, as both sides of a replication.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/oci/media_types.h"
#include "common/oci/referrers_index.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// Manifests are kept as bytes; those with a subject are its referrers. Counts what it is asked.
class MemorySide final : public Source, public Target {
 public:
  struct Repository {
    std::map<std::string, Digest> tags;
    std::map<Digest, std::pair<std::string, std::string>> manifests;  // media type, bytes
    std::map<Digest, std::string> blobs;
  };
  std::map<std::string, Repository> all;
  bool has_referrers_api = true;
  bool lists_manifests = true;
  std::vector<std::string> log;  ///< what was written, in order
  int resolved = 0;

  Digest put(const std::string& repository, const std::string& bytes, const std::string& tag = "",
             std::string_view type = media_type::kOciManifest) {
    const Digest digest = Digest::of(DigestAlgorithm::kSha256, bytes);
    all[repository].manifests.insert_or_assign(digest, std::pair(std::string(type), bytes));
    if (!tag.empty()) all[repository].tags.insert_or_assign(tag, digest);
    return digest;
  }

  std::string name() const override { return "memory"; }
  Task<Result<NamePage>> repositories(std::string) override {
    std::vector<std::string> names;
    for (const auto& [name, repository] : all) names.push_back(name);
    co_return NamePage(std::move(names), false);
  }
  /// In pages of two.
  Task<Result<NamePage>> tags(const RepositoryName& repository, std::string last) override {
    const auto found = all.find(repository.text());
    if (found == all.end()) co_return Error(ErrorKind::kNameUnknown, "none");
    std::vector<std::string> names;
    auto at = last.empty() ? found->second.tags.begin() : found->second.tags.upper_bound(last);
    for (; at != found->second.tags.end() && names.size() < 2; ++at) names.push_back(at->first);
    const bool more = at != found->second.tags.end();
    co_return NamePage(std::move(names), more);
  }
  Task<Result<std::optional<Digest>>> resolve(const RepositoryName& repository, const Reference& reference) override {
    ++resolved;
    co_return find(repository, reference);
  }
  Task<Result<StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference) override {
    const auto digest = find(repository, reference);
    if (!digest) co_return Error(ErrorKind::kManifestUnknown, "none");
    const auto& [type, bytes] = all[repository.text()].manifests.at(*digest);
    co_return StoredManifest(*digest, type, std::string(bytes));
  }
  Task<Result<std::vector<Digest>>> referrers(const RepositoryName& repository, const Digest& subject) override {
    std::vector<Digest> found;
    for (const auto& [digest, stored] : all[repository.text()].manifests) {
      const auto manifest = Manifest::parse(stored.second, stored.first);
      if (manifest && manifest->subject() && manifest->subject()->digest == subject) found.push_back(digest);
    }
    co_return found;
  }
  Task<Result<std::shared_ptr<http::RequestBody>>> open(const RepositoryName& repository,
                                                        const Descriptor& blob) override {
    const auto& blobs = all[repository.text()].blobs;
    const auto found = blobs.find(blob.digest);
    if (found == blobs.end()) co_return Error(ErrorKind::kBlobUnknown, "none");
    std::shared_ptr<http::RequestBody> body = std::make_shared<Bytes>(found->second);
    co_return body;
  }
  Task<Result<std::vector<std::string>>> holders(const Digest& digest) override {
    std::vector<std::string> names;
    for (const auto& [name, repository] : all)
      if (repository.blobs.contains(digest)) names.push_back(name);
    co_return names;
  }
  Task<Result<std::optional<std::set<Digest>>>> manifests(const RepositoryName& repository, Which which) override {
    using Manifests = std::optional<std::set<Digest>>;
    if (!lists_manifests) co_return Manifests();
    std::set<Digest> found;
    const auto in = all.find(repository.text());
    if (in == all.end()) co_return Manifests(found);
    for (const auto& [digest, stored] : in->second.manifests)
      if (which == Which::kAll || !is_led_to(in->second, digest)) found.insert(digest);
    co_return Manifests(std::move(found));
  }
  Task<Result<bool>> is_untagged(const RepositoryName& repository, const Digest& digest) override {
    const Repository& in = all[repository.text()];
    co_return lists_manifests&& in.manifests.contains(digest) && !is_led_to(in, digest);
  }
  Task<Result<bool>> has_blob(const RepositoryName& repository, const Digest& digest) override {
    co_return all[repository.text()].blobs.contains(digest);
  }
  Task<Result<std::uint64_t>> put_blob(const RepositoryName& repository, const Digest& digest, http::RequestBody& blob,
                                       std::string&, std::optional<RepositoryName> mount_from, Kept kept) override {
    log.push_back((mount_from ? "mount " : "blob ") + digest.to_string());
    std::string bytes;
    while (bytes.size() < blob.size()) {
      auto piece = co_await blob.read(bytes.size(), blob.size() - bytes.size());
      if (!piece) co_return piece.error();
      bytes.append(reinterpret_cast<const char*>(piece->bytes().data()), piece->size());
    }
    const std::uint64_t sent = mount_from ? 0 : bytes.size();
    all[repository.text()].blobs.insert_or_assign(digest, std::move(bytes));
    Task<Result<void>> keeping = kept(sent);
    auto was_kept = co_await std::move(keeping);
    if (!was_kept) co_return was_kept.error();
    co_return sent;
  }
  Task<Result<bool>> put_manifest(const RepositoryName& repository, const Reference& reference, const Digest&,
                                  std::string_view type, std::string_view bytes) override {
    log.push_back("manifest " + reference.to_string());
    put(repository.text(), std::string(bytes), reference.tag() ? reference.tag()->text() : "", type);
    co_return has_referrers_api;
  }
  Task<Result<void>> remove(const RepositoryName& repository, const Reference& reference) override {
    log.push_back("remove " + reference.to_string());
    Repository& in = all[repository.text()];
    if (reference.tag() != nullptr)
      in.tags.erase(reference.tag()->text());
    else
      in.manifests.erase(*reference.digest());
    co_return Result<void>();
  }
  Task<Result<bool>> lists_referrers(const RepositoryName&) override { co_return has_referrers_api; }

 private:
  struct Bytes final : http::RequestBody {
    explicit Bytes(std::string b) : bytes(std::move(b)) {}
    std::uint64_t size() const override { return bytes.size(); }
    Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override {
      Buffer buffer = Buffer::take();
      buffer.append(
          std::as_bytes(std::span(bytes)).subspan(offset, std::min<std::size_t>(want, bytes.size() - offset)));
      co_return std::move(buffer);
    }
    std::string bytes;
  };
  static bool is_led_to(const Repository& in, const Digest& digest) {
    return std::ranges::any_of(in.tags, [&](const auto& tag) { return tag.second == digest; }) ||
           std::ranges::any_of(in.manifests, [&](const auto& parent) {
             const auto manifest = Manifest::parse(parent.second.second, parent.second.first);
             return manifest && std::ranges::count(manifest->manifest_children(), digest) > 0;
           });
  }
  std::optional<Digest> find(const RepositoryName& repository, const Reference& reference) const {
    const auto in = all.find(repository.text());
    if (in == all.end()) return std::nullopt;
    if (reference.digest() != nullptr)
      return in->second.manifests.contains(*reference.digest()) ? std::optional(*reference.digest()) : std::nullopt;
    const auto found = in->second.tags.find(reference.tag()->text());
    return found == in->second.tags.end() ? std::nullopt : std::optional(found->second);
  }
};

}  // namespace wherry::replication
