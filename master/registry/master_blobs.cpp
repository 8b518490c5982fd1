#include "master/registry/master_blobs.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::master {
namespace {

constexpr std::size_t kNamedHolders = 100;  // of a damaged blob, in the log

}  // namespace

MasterBlobs::MasterBlobs(registry::Storage& storage, registry::NameStore& names, Loop& home, Metrics& metrics)
    : storage_(storage),
      names_(names),
      home_(home),
      damaged_(metrics.counter("wherry_store_damaged_blobs_total", "Stored blobs found damaged")) {}

Task<Result<std::uint64_t>> MasterBlobs::size(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row) co_return row.error();
  co_return row->size();
}

Task<Result<std::unique_ptr<http::Body>>> MasterBlobs::open(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row) co_return row.error();
  auto blob = storage_.blobs().cached(digest);
  if (blob == nullptr) {
    auto opened = co_await storage_.blobs().open_blob(digest, std::move(*row));
    if (!opened) {
      const auto kind = opened.error().kind();
      if (kind == ErrorKind::kCorrupt || kind == ErrorKind::kBlobUnknown) found_damaged(digest);
      if (kind == ErrorKind::kBlobUnknown)
        co_return Error(ErrorKind::kCorrupt, "the file of blob {} is gone", digest.to_string());
      co_return opened.error();
    }
    blob = std::move(*opened);
    // Looked at before a head is sent: damage at the front is answered, not broken off.
    auto first = co_await blob->ready(0, 1);
    if (!first) {
      if (first.error().kind() == ErrorKind::kCorrupt) found_damaged(digest);
      co_return first.error();
    }
  }
  co_return std::make_unique<registry::StoredBody>(std::move(blob), *this);
}

void MasterBlobs::found_damaged(const Digest& digest) {
  home_.post([this, digest] { scope_.spawn(put_aside(digest)); });
}

Task<void> MasterBlobs::put_aside(Digest digest) {
  // The row first: from then on the blob is unknown, and a push brings it back. Only then the file.
  auto erased = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<bool> {
    const std::string key = registry::tables::blob_key(digest);
    auto there = transaction.exists(key);
    if (!there) return there.error();
    if (*there) transaction.erase(key);
    return *there;
  });
  if (!erased) {
    log::error("a damaged blob could not be put aside",
               {{"digest", digest.to_string()}, {"error", erased.error().to_string()}});
    co_return;
  }
  if (!*erased) co_return;  // another reader met it before
  damaged_.add();
  auto moved = co_await storage_.blobs().quarantine(digest);
  auto holders = co_await names_.holders(digest, kNamedHolders);
  std::string repositories;
  if (holders)
    for (const std::string& name : *holders) repositories += (repositories.empty() ? "" : ", ") + name;
  log::error("a stored blob is damaged and was quarantined: push it again to heal these repositories",
             {{"digest", digest.to_string()},
              {"repositories", repositories},
              {"moved", moved ? "yes" : moved.error().to_string()}});
}

}  // namespace wherry::master
