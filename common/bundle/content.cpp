#include "common/bundle/content.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/oci/excerpt.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"

namespace wherry::bundle {
namespace {

namespace tables = registry::tables;

constexpr std::size_t kMaxListLineBytes = 512;
constexpr std::size_t kFileNameBytes = 16;

Error other_bytes(const Digest& digest) {
  return Error(ErrorKind::kInvalid, "the bundle is damaged, or was changed: {} has other bytes", digest.to_string());
}

Error out_of_order(std::string_view name) {
  return not_a_bundle(fmt::format("{} has no place where it is", excerpt(name)));
}

}  // namespace

Task<Result<void>> Content::take() {
  auto manifests = co_await take_manifests();
  if (!manifests) co_return manifests;
  co_return co_await take_blobs();
}

Task<Result<void>> Content::take_manifests() {
  while (true) {
    auto file = co_await bundle_.next_file();
    if (!file) co_return file.error();
    if (!*file) co_return not_a_bundle("it ends before its manifests do");
    Result<void> taken;
    const bool is_list = (*file)->name == kManifestsFile;
    if (is_list)
      taken = co_await take_list(**file);
    else
      taken = co_await take_manifest(**file);
    if (!taken || is_list) co_return taken;
  }
}

Task<Result<void>> Content::take_manifest(const TarReader::File& file) {
  const auto digest = digest_of_blob_file(file.name);
  if (!digest) co_return out_of_order(file.name);
  if (!bundle_.names().has(*digest)) co_return not_a_bundle("it has a manifest that nothing in it names");
  if (order_.size() == kMostManifests) co_return not_a_bundle("it has too many manifests");
  auto bytes = co_await bundle_.whole_file(file, kMaxManifestBytes);
  if (!bytes) co_return bytes.error();
  if (Digest::of(digest->algorithm(), *bytes) != *digest) co_return other_bytes(*digest);
  if (!manifests_.emplace(*digest, Place{file.offset, bytes->size()}).second)
    co_return not_a_bundle("it has a manifest twice");
  order_.push_back(*digest);
  co_return Result<void>();
}

/// The media types, by which the manifests can be read; from then on it is known which blobs may follow.
Task<Result<void>> Content::take_list(const TarReader::File& file) {
  auto list = co_await bundle_.whole_file(file, order_.size() * kMaxListLineBytes);
  if (!list) co_return list.error();
  list_digest_ = Digest::of(DigestAlgorithm::kSha256, *list);
  std::string_view rest = *list;
  for (const Digest& digest : order_) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const std::string start = digest.to_string() + " ";
    if (line.size() == rest.size() || !line.starts_with(start))
      co_return not_a_bundle("its list of manifests is another");
    rest.remove_prefix(line.size() + 1);
    manifests_.at(digest).media_type = line.substr(start.size());
    std::string bytes;
    auto manifest = co_await load(digest, bytes);
    if (!manifest) co_return manifest.error();
    for (const Digest& blob : manifest->blob_children()) expected_.insert(blob);
    for (const Digest& blob : manifest->optional_children()) expected_.insert(blob);
    if (expected_.size() > kMostBlobs) co_return not_a_bundle("it has too many blobs");
  }
  if (!rest.empty()) co_return not_a_bundle("its list of manifests is another");
  co_return Result<void>();
}

Task<Result<Manifest>> Content::load(const Digest& digest, std::string& bytes) {
  const Place& place = manifests_.at(digest);
  auto read = co_await bundle_.again(place.offset, place.size, digest);
  if (!read) co_return read.error();
  bytes = std::move(*read);
  auto manifest = Manifest::parse(bytes, place.media_type);
  if (!manifest)
    co_return Error(ErrorKind::kInvalid, "the manifest {} of the bundle cannot be stored", digest.to_string())
        .with_cause(std::move(manifest.error()));
  if (manifest->media_type() != place.media_type)
    co_return not_a_bundle(fmt::format("the media type of {} is another", digest.to_string()));
  co_return manifest;
}

Task<Result<void>> Content::take_blobs() {
  while (true) {
    auto file = co_await bundle_.next_file();
    if (!file) co_return file.error();
    if (!*file) co_return not_a_bundle("it ends before its blobs do");
    if ((*file)->name == kIndexFile) {
      auto ended = co_await take_end();
      if (!ended) co_return ended.error();
      co_return Result<void>();
    }
    const auto digest = digest_of_blob_file((*file)->name);
    if (!digest) co_return out_of_order((*file)->name);
    if (!expected_.contains(*digest)) co_return not_a_bundle("it has a blob that nothing in it names");
    if (blobs_.contains(*digest)) co_return not_a_bundle("it has a blob twice");
    auto taken = co_await take_blob(*digest, (*file)->size_bytes);
    if (!taken) co_return taken;
  }
}

/// index.json and what the bundle says of itself; behind that there is nothing.
Task<Result<Digest>> Content::take_end() {
  Facts facts = bundle_.facts();
  facts.manifests = list_digest_;
  Hasher hasher;
  while (true) {
    auto piece = co_await bundle_.next_bytes();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    hasher.update(piece->bytes());
  }
  facts.index = hasher.finish();
  auto last = co_await bundle_.next_file();
  if (!last) co_return last.error();
  if (!*last || (*last)->name != kFactsFile) co_return not_a_bundle("it does not end with wherry/bundle.json");
  auto said = co_await bundle_.whole_file(**last, kMaxFactsBytes);
  if (!said) co_return said.error();
  if (*said != facts.to_json())
    co_return Error(ErrorKind::kInvalid, "the bundle is damaged, or was changed: it is not what its {} says",
                    kFactsFile);
  auto end = co_await bundle_.next_file();
  if (!end) co_return end.error();
  if (*end) co_return out_of_order((*end)->name);
  co_return *facts.index;
}

Task<Result<bool>> Content::is_stored(const Digest& blob) {
  auto row = co_await storage_.names().get(tables::blob_key(blob));
  if (!row) co_return row.error();
  co_return row->has_value();
}

Task<Result<void>> Content::take_blob(const Digest& digest, std::uint64_t size) {
  auto stored = co_await is_stored(digest);
  if (!stored) co_return stored.error();
  if (!*stored) co_return co_await store_blob(digest, size);
  Hasher hasher(digest.algorithm());
  while (true) {
    auto piece = co_await bundle_.next_bytes();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    hasher.update(piece->bytes());
  }
  if (hasher.finish() != digest) co_return other_bytes(digest);
  blobs_.emplace(digest, std::nullopt);
  co_return Result<void>();
}

Task<Result<void>> Content::store_blob(const Digest& digest, std::uint64_t size) {
  auto admitted = storage_.space().admit(size);
  if (!admitted) co_return admitted;
  auto writer = co_await storage_.blobs().create("import-" + random_hex(kFileNameBytes), digest.algorithm());
  if (!writer) co_return writer.error();
  Result<void> outcome;
  while (outcome) {
    auto piece = co_await bundle_.next_bytes();
    if (!piece) outcome = piece.error();
    if (!piece || piece->empty()) break;
    outcome = co_await writer->append(std::move(*piece));
  }
  if (outcome) {
    auto row = co_await writer->commit(digest);
    if (row) {
      ++counts_.blobs;
      counts_.bytes += row->size();
      blobs_.emplace(digest, std::move(*row));
      co_return Result<void>();
    }
    outcome = row.error();
    if (row.error().kind() == ErrorKind::kDigestInvalid) outcome = other_bytes(digest);
  }
  auto discarded = co_await writer->discard();
  if (!discarded) log::warn("bytes of a refused blob stay in tmp/", {{"error", discarded.error().to_string()}});
  co_return outcome;
}

Task<Result<void>> Content::complete(const Wanted& wanted) {
  constexpr std::string_view kAdvice = "take a bundle that has all (export without --since)";
  for (const auto& [repository, names] : bundle_.names().repositories()) {
    for (const auto& [digest, is_there] : names.manifests) {
      if (!is_there) continue;
      Task<Result<bool>> asking = wanted(repository, digest);
      auto is_wanted = co_await std::move(asking);
      if (!is_wanted) co_return is_wanted.error();
      if (!*is_wanted) continue;
      if (manifests_.contains(digest)) {
        wanted_.push_back({repository, digest});
        continue;
      }
      auto held = co_await storage_.names().get(tables::manifest_key(repository, digest));
      if (!held) co_return held.error();
      if (!*held)
        co_return Error(ErrorKind::kInvalid, "the manifest {} of {} is neither in the bundle nor here: {}",
                        digest.to_string(), repository.text(), kAdvice);
    }
  }
  for (const Digest& digest : order_) {
    std::string bytes;
    auto manifest = co_await load(digest, bytes);
    if (!manifest) co_return manifest.error();
    for (const Digest& blob : manifest->blob_children()) {
      if (blobs_.contains(blob)) continue;
      auto stored = co_await is_stored(blob);
      if (!stored) co_return stored.error();
      if (!*stored)
        co_return Error(ErrorKind::kInvalid, "the blob {}, which {} needs, is neither in the bundle nor here: {}",
                        blob.to_string(), digest.to_string(), kAdvice);
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Content::keep(const Enter& enter, const Put& put) {
  std::vector<Loaded> some;
  std::size_t bytes = 0;
  std::set<Digest> used;
  for (const Pair& pair : wanted_) {
    std::string content;
    auto manifest = co_await load(pair.digest, content);
    if (!manifest) co_return manifest.error();
    for (const Digest& blob : children_of(*manifest)) used.insert(blob);
    bytes += content.size();
    some.push_back({pair, std::move(*manifest), std::move(content)});
    if (some.size() < kManifestsAtOnce && bytes < kBytesAtOnce) continue;
    auto kept = co_await keep_some(some, enter, put);
    if (!kept) co_return kept;
    some.clear();
    bytes = 0;
  }
  if (!some.empty()) {
    auto kept = co_await keep_some(some, enter, put);
    if (!kept) co_return kept;
  }
  for (auto& [digest, row] : blobs_) {
    if (!row || used.contains(digest)) continue;
    --counts_.blobs;
    counts_.bytes -= row->size();
    co_await remove(digest);
  }
  co_return Result<void>();
}

/// Its blobs, as far as they are here or in the bundle.
std::vector<Digest> Content::children_of(const Manifest& manifest) const {
  auto children = manifest.blob_children();
  for (const Digest& digest : manifest.optional_children())
    if (blobs_.contains(digest)) children.push_back(digest);
  return children;
}

Task<Result<void>> Content::keep_some(const std::vector<Loaded>& some, const Enter& enter, const Put& put) {
  auto put_in = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<std::uint64_t> {
    std::uint64_t count = 0;
    for (const Loaded& loaded : some) {
      auto entered = enter(transaction, loaded.pair.repository);
      if (!entered) return entered.error();
      auto blobs = put_blobs(transaction, loaded);
      if (!blobs) return blobs.error();
      auto is_new = put(transaction, loaded.pair.repository, loaded.pair.digest, loaded.manifest, loaded.bytes);
      if (!is_new) return is_new.error();
      if (*is_new) ++count;
    }
    return count;
  });
  if (!put_in) co_return put_in.error();
  counts_.manifests += *put_in;
  co_return Result<void>();
}

Result<void> Content::put_blobs(kv::Transaction& transaction, const Loaded& loaded) {
  for (const Digest& digest : children_of(loaded.manifest)) {
    const auto found = blobs_.find(digest);
    if (found != blobs_.end() && found->second) transaction.put(tables::blob_key(digest), found->second->encode());
    auto is_member = transaction.exists(tables::member_key(loaded.pair.repository, digest));
    if (!is_member) return is_member.error();
    if (!*is_member) registry::put_membership(transaction, loaded.pair.repository, digest);
  }
  return {};
}

Task<void> Content::drop() {
  for (const auto& [digest, row] : blobs_)
    if (row) co_await remove(digest);
}

Task<void> Content::remove(const Digest& digest) {
  auto removed = co_await storage_.blobs().remove(digest);
  if (!removed) log::warn("a blob of a bundle that is not wanted stays", {{"error", removed.error().to_string()}});
}

}  // namespace wherry::bundle
