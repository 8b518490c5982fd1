#include "common/registry/checked_blobs.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::registry {
namespace {

constexpr std::size_t kNamedHolders = 100;  // of a damaged blob, in the log

}  // namespace

CheckedBlobs::CheckedBlobs(Storage& storage, NameStore& names, store::Fate fate, Loop& home, Metrics& metrics)
    : storage_(storage),
      names_(names),
      fate_(fate),
      home_(home),
      damaged_(metrics.counter("wherry_store_damaged_blobs_total", "Stored blobs found damaged")) {}

Task<Result<std::unique_ptr<http::Body>>> CheckedBlobs::open(Digest digest, store::BlobRow row) {
  auto blob = storage_.blobs().cached(digest);
  if (blob == nullptr) {
    std::optional<store::FileId> file;
    Result<void> good;
    auto opened = co_await storage_.blobs().open_blob(digest, std::move(row));
    if (opened) {
      blob = std::move(*opened);
      auto first = co_await blob->ready(0, 1);
      if (!first) good = first.error();
      file = blob->file_id();
    } else {
      good = opened.error();
    }
    if (!good) {
      const auto kind = good.error().kind();
      if (kind != ErrorKind::kCorrupt && kind != ErrorKind::kBlobUnknown) co_return good.error();
      auto aside = co_await set_aside(digest, file);
      if (!aside) co_return aside.error();
      co_return Error(ErrorKind::kCorrupt, "the stored blob {} is damaged", digest.to_string());
    }
  }
  co_return std::make_unique<StoredBody>(std::move(blob), *this);
}

void CheckedBlobs::found_damaged(const Digest& digest, std::optional<store::FileId> file) {
  home_.post([this, digest, file] { scope_.spawn(put_aside(digest, file)); });
}

Task<void> CheckedBlobs::put_aside(Digest digest, std::optional<store::FileId> file) {
  auto done = co_await set_aside(digest, file);
  if (!done)
    log::error("a damaged blob could not be set aside",
               {{"digest", digest.to_string()}, {"error", done.error().to_string()}});
}

Task<Result<void>> CheckedBlobs::set_aside(Digest digest, std::optional<store::FileId> file) {
  // On the committer's thread: no push of the same blob can record itself between the file's move and the row's end.
  auto moved = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<bool> {
    const std::string key = tables::blob_key(digest);
    auto value = transaction.get(key);
    if (!value) return value.error();
    if (!*value) return false;  // another reader met it before
    auto row = store::BlobRow::decode(**value);
    if (row) {
      auto outcome = storage_.blobs().set_aside(digest, *row, file, fate_);
      if (!outcome) return outcome.error();
      if (*outcome == store::SetAside::kReplaced) return false;
    }
    transaction.erase(key);
    transaction.erase(tables::torrent_key(digest));
    return true;
  });
  if (!moved) co_return moved.error();
  if (!*moved) co_return Result<void>();
  damaged_.add();
  if (told_) told_(digest);
  auto holders = co_await names_.holders(digest, kNamedHolders);
  std::string repositories;
  if (holders)
    for (const std::string& name : *holders) repositories += (repositories.empty() ? "" : ", ") + name;
  if (fate_ == store::Fate::kQuarantine)
    log::error("a stored blob is damaged and was quarantined: push it again to heal these repositories",
               {{"digest", digest.to_string()}, {"repositories", repositories}});
  else
    log::warn("a held blob is damaged: it was dropped and is fetched anew when asked for",
              {{"digest", digest.to_string()}, {"repositories", repositories}});
  co_return Result<void>();
}

}  // namespace wherry::registry
