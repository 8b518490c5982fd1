#include "master/replication/copier.h"

#include <map>

#include "common/oci/media_types.h"
#include "common/oci/referrers_index.h"

namespace wherry::replication {
namespace {

std::string key_of(char kind, const RepositoryName& repository, const Digest& digest) {
  return std::string(1, kind) + repository.text() + '\0' + digest.binary();
}

/// Smaller ones are sent sooner than a place to mount them from is found.
constexpr std::uint64_t kLeastMountBytes = 64 * 1024;

/// The descriptors of a manifest by digest.
std::map<Digest, Descriptor> descriptors_of(const Manifest& manifest) {
  std::map<Digest, Descriptor> all;
  if (manifest.config()) all.emplace(manifest.config()->digest, *manifest.config());
  for (const Descriptor& layer : manifest.layers()) all.emplace(layer.digest, layer);
  for (const Descriptor& entry : manifest.manifests()) all.emplace(entry.digest, entry);
  return all;
}

bool is_not_there(const Error& error) {
  return error.kind() == ErrorKind::kManifestUnknown || error.kind() == ErrorKind::kBlobUnknown;
}

}  // namespace

Task<Result<bool>> Copier::copy() {
  auto source = RepositoryName::parse(task_.repository);
  if (!source) co_return source.error();
  auto target = RepositoryName::parse(task_.target);
  if (!target) co_return target.error();
  auto digest = Digest::parse(task_.digest);
  if (!digest) co_return digest.error();
  const Names names{std::move(*source), std::move(*target)};
  std::optional<Tag> tag;
  if (!task_.tag.empty()) {
    auto parsed = Tag::parse(task_.tag);
    if (!parsed) co_return parsed.error();
    tag = std::move(*parsed);
    // The tag may have moved since the plan was made: what it means now is wanted.
    const Reference named(*tag);
    auto now = co_await source_.resolve(names.source, named);
    if (!now) co_return now.error();
    if (!*now) co_return false;
    digest = **now;
    task_.digest = digest->to_string();
  }
  const Reference by_digest(*digest);
  auto manifest = co_await source_.manifest(names.source, by_digest);
  if (!manifest && is_not_there(manifest.error())) co_return false;
  if (!manifest) co_return manifest.error();
  auto copied = co_await image(names, *digest);
  if (!copied) co_return copied.error();
  if (!tag) co_return true;
  const Reference named(*tag);
  auto before = co_await target_.resolve(names.target, named);
  if (!before) co_return before.error();
  if (*before == *digest) co_return true;
  auto open = gate_.check();
  if (!open) co_return open.error();
  auto put = co_await target_.put_manifest(names.target, named, *digest, manifest->media_type(), manifest->bytes());
  if (!put) co_return put.error();
  ++task_.manifests;
  co_return true;
}

/// Brings a manifest with all that it lists. What it lists cannot list it, so nobody waits in a circle for a hold.
Task<Result<void>> Copier::bring(const Names& names, Digest digest, std::size_t depth) {
  if (depth > kMaxDepth)
    co_return Error(ErrorKind::kManifestInvalid, "{} is more than {} manifests deep", digest.to_string(), kMaxDepth);
  if (brought_.contains(digest)) co_return Result<void>();
  if (brought_.size() >= kMaxManifests)
    co_return Error(ErrorKind::kTooLarge, "more than {} manifests belong to the image", kMaxManifests);
  const std::string key = key_of('m', names.target, digest);
  auto held = co_await shared_.hold(key);
  auto open = gate_.check();
  if (!open) co_return open;
  const Reference reference(digest);
  auto stored = co_await source_.manifest(names.source, reference);
  if (!stored) co_return stored.error();
  auto manifest = Manifest::parse(stored->bytes(), stored->media_type());
  if (!manifest) co_return manifest.error();
  bool is_there = shared_.is_there(key);
  if (!is_there) {
    auto there = co_await target_.resolve(names.target, reference);
    if (!there) co_return there.error();
    is_there = there->has_value();
  }
  if (is_there) {  // but what refers to its children need not be
    for (const Digest& child : manifest->manifest_children()) {
      auto looked = co_await bring(names, child, depth + 1);
      if (!looked && looked.error().kind() != ErrorKind::kManifestUnknown) co_return looked;
    }
  } else {
    auto listed = co_await children(names, *manifest, depth);
    if (!listed) co_return listed;
    auto put = co_await target_.put_manifest(names.target, reference, digest, manifest->media_type(), stored->bytes());
    if (!put) co_return put.error();
    ++task_.manifests;
  }
  shared_.remember(key);
  if (brought_.insert(digest).second) order_.push_back(digest);
  co_return Result<void>();
}

/// Brings an image, then what refers to it or to any part of it, and to that again. A referrer may list what it refers
/// to, so this goes in rounds and holds nothing meanwhile.
Task<Result<void>> Copier::image(const Names& names, Digest digest) {
  auto copied = co_await bring(names, digest, 0);
  if (!copied) co_return copied;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    auto referred = co_await referrers(names, order_[i]);
    if (!referred) co_return referred;
  }
  co_return Result<void>();
}

Task<Result<void>> Copier::children(const Names& names, const Manifest& manifest, std::size_t depth) {
  const auto descriptors = descriptors_of(manifest);
  for (const Digest& digest : manifest.blob_children()) {
    const auto found = descriptors.find(digest);
    if (found == descriptors.end()) continue;
    auto copied = co_await blob(names, found->second);
    if (!copied) co_return copied;
  }
  for (const Digest& digest : manifest.manifest_children()) {
    auto copied = co_await bring(names, digest, depth + 1);
    // An index may list images that its registry never had.
    if (!copied && copied.error().kind() != ErrorKind::kManifestUnknown) co_return copied;
  }
  for (const Digest& digest : manifest.optional_children()) {
    auto copied = co_await optional_child(names, digest, depth);
    if (!copied) co_return copied;
  }
  co_return Result<void>();
}

/// What a manifest names without saying whether it is a blob or a manifest, or without its registry having to have it.
Task<Result<void>> Copier::optional_child(const Names& names, Digest digest, std::size_t depth) {
  const Descriptor descriptor{std::string(media_type::kOciLayer), digest};
  auto copied = co_await blob(names, descriptor);
  if (copied || !is_not_there(copied.error())) co_return copied;
  copied = co_await bring(names, digest, depth + 1);
  if (!copied && copied.error().kind() != ErrorKind::kManifestUnknown) co_return copied;
  co_return Result<void>();
}

Task<Result<void>> Copier::referrers(const Names& names, Digest subject) {
  auto listed = co_await source_.referrers(names.source, subject);
  if (!listed) co_return listed.error();
  if (listed->empty()) co_return Result<void>();
  std::vector<Descriptor> brought;
  for (const Digest& digest : *listed) {
    const Reference reference(digest);
    auto stored = co_await source_.manifest(names.source, reference);
    if (!stored && is_not_there(stored.error())) continue;
    if (!stored) co_return stored.error();
    auto manifest = Manifest::parse(stored->bytes(), stored->media_type());
    if (!manifest) co_return manifest.error();
    auto copied = co_await bring(names, digest, 0);
    if (!copied) co_return copied;
    brought.push_back(manifest->referrer_descriptor(digest, stored->bytes().size()));
  }
  auto lists = co_await target_.lists_referrers(names.target);
  if (!lists) co_return lists.error();
  if (*lists || brought.empty()) co_return Result<void>();
  co_return co_await list_in_fallback(names.target, subject, std::move(brought));
}

/// Keeps the index under the fallback tag, where the target lists no referrers by itself (distribution-spec,
/// "Referrers Tag Schema").
Task<Result<void>> Copier::list_in_fallback(const RepositoryName& repository, Digest subject,
                                            std::vector<Descriptor> referrers) {
  auto tag = Tag::parse(fallback_tag(subject));
  if (!tag) co_return tag.error();
  auto held = co_await shared_.hold(key_of('f', repository, subject));
  const Reference reference(std::move(*tag));
  std::vector<Descriptor> all;
  auto before = co_await target_.manifest(repository, reference);
  if (before) {
    auto listed = parse_fallback_index(before->bytes());
    if (listed) all = std::move(*listed);
  } else if (!is_not_there(before.error())) {
    co_return before.error();
  }
  const std::size_t known = all.size();
  for (Descriptor& each : referrers) {
    const auto same = [&](const Descriptor& other) { return other.digest == each.digest; };
    if (std::ranges::none_of(all, same)) all.push_back(std::move(each));
  }
  if (all.size() == known) co_return Result<void>();
  std::vector<std::string> descriptors;
  for (const Descriptor& each : all) descriptors.push_back(each.to_json());
  const std::string bytes = referrers_index(descriptors);
  const Digest digest = Digest::of(DigestAlgorithm::kSha256, bytes);
  auto put = co_await target_.put_manifest(repository, reference, digest, media_type::kOciIndex, bytes);
  if (!put) co_return put.error();
  ++task_.manifests;
  co_return Result<void>();
}

Task<Result<void>> Copier::blob(const Names& names, Descriptor descriptor) {
  const Digest digest = descriptor.digest;
  const std::string key = key_of('b', names.target, digest);
  auto held = co_await shared_.hold(key);
  if (shared_.is_there(key)) co_return Result<void>();
  auto open = gate_.check();
  if (!open) co_return open;
  auto there = co_await target_.has_blob(names.target, digest);
  if (!there) co_return there.error();
  if (!*there) {
    auto body = co_await source_.open(names.source, descriptor);
    if (!body) co_return body.error();
    GatedBody gated(std::move(*body), gate_);
    auto elsewhere = co_await place_to_mount_from(names, descriptor);
    if (task_.session_digest != digest.to_string()) task_.session.clear();
    task_.session_digest = digest.to_string();
    const Kept kept = [this](std::uint64_t bytes) { return took(bytes); };
    auto sent = co_await target_.put_blob(names.target, digest, gated, task_.session, std::move(elsewhere), kept);
    if (!sent) co_return sent.error();
    if (*sent > 0) ++task_.blobs;
  }
  shared_.remember(key);
  shared_.remember_place(digest, names.target);
  co_return Result<void>();
}

/// Another repository of the target that has the blob: one that it was brought to, or one that stands for a repository
/// of the source that holds it. Who may not look there sends it anew.
Task<std::optional<RepositoryName>> Copier::place_to_mount_from(const Names& names, Descriptor blob) {
  if (auto known = shared_.place_of(blob.digest)) co_return known;
  if (blob.size < kLeastMountBytes) co_return std::nullopt;
  auto holders = co_await source_.holders(blob.digest);
  if (!holders) co_return std::nullopt;
  for (const std::string& holder : *holders) {
    auto source = RepositoryName::parse(holder);
    if (!source) continue;
    auto place = destination_.of(*source);
    if (!place || *place == names.target) continue;
    auto there = co_await target_.has_blob(*place, blob.digest);
    if (there && *there) co_return std::optional<RepositoryName>(std::move(*place));
  }
  co_return std::nullopt;
}

Task<Result<void>> Copier::took(std::uint64_t bytes) {
  task_.bytes += bytes;
  Task<Result<void>> saving = save_();
  co_return co_await std::move(saving);
}

}  // namespace wherry::replication
