#include "common/swarm/torrent_book.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::swarm {
namespace {

/// Read in one go by one thread of the pool, so that others get their turn.
constexpr std::uint64_t kBytesATurn = std::uint64_t{16} << 20;

}  // namespace

SharedTorrent TorrentBook::find(const Digest& digest) {
  const auto& torrents = remembered_.here().torrents;
  const auto found = torrents.find(digest);
  return found == torrents.end() ? nullptr : found->second;
}

void TorrentBook::remember(const SharedTorrent& torrent) {
  Remembered& here = remembered_.here();
  const std::size_t bytes = torrent->pieces() * sizeof(Sha256);
  if (here.torrents.size() >= kMostRemembered || here.bytes + bytes > kMostRememberedBytes) here = {};
  if (here.torrents.insert_or_assign(torrent->blob(), torrent).second) here.bytes += bytes;
}

Task<Result<SharedTorrent>> TorrentBook::of(registry::Blobs& blobs, RepositoryName repository, Digest digest) {
  SharedTorrent known = find(digest);
  if (known != nullptr && !known->voucher().empty()) co_return known;
  const auto work = [this, &blobs, repository, digest, known] {
    return find_or_make(blobs, repository, digest, known);
  };
  auto made = co_await making_.join(digest.to_string(), work);
  if (made) remember(*made);
  co_return made;
}

Task<Result<SharedTorrent>> TorrentBook::find_or_make(registry::Blobs& blobs, RepositoryName repository, Digest digest,
                                                      SharedTorrent known) {
  if (known == nullptr) {
    auto kept = co_await stored(digest);
    if (!kept) co_return kept.error();
    known = std::move(*kept);
  }
  const bool is_stored = known != nullptr;
  if (known == nullptr) {
    auto made = co_await make(blobs, repository, digest);
    if (!made) co_return made.error();
    known = std::move(*made);
  }
  std::string voucher;
  if (known->voucher().empty()) {
    auto got = co_await vouch_(repository, known);
    if (got)
      voucher = std::move(*got);
    else
      log::info("nobody vouches for the pieces of a blob just now",
                {{"digest", digest.to_string()}, {"error", got.error().to_string()}});
  }
  if (!voucher.empty()) known = std::make_shared<const Torrent>(known->vouched_by(std::move(voucher)));
  if (!voucher.empty() || !is_stored) co_await keep(known);
  co_return known;
}

/// Null when there is none.
Task<Result<SharedTorrent>> TorrentBook::stored(Digest digest) {
  auto row = co_await storage_.names().get(registry::tables::torrent_key(digest));
  if (!row) co_return row.error();
  if (!*row) co_return SharedTorrent();
  auto torrent = Torrent::decode(digest, **row);
  if (!torrent) co_return SharedTorrent();
  co_return std::make_shared<const Torrent>(std::move(*torrent));
}

Task<void> TorrentBook::keep(SharedTorrent torrent) {
  remember(torrent);
  const auto write = [&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(registry::tables::torrent_key(torrent->blob()), torrent->encode());
    return {};
  };
  auto kept = co_await storage_.names().transact(write, kv::Durability::kLazy);
  if (!kept) log::warn("a torrent could not be kept", {{"error", kept.error().to_string()}});
}

Task<Result<SharedTorrent>> TorrentBook::make(registry::Blobs& blobs, RepositoryName repository, Digest digest) {
  auto body = co_await blobs.open(repository, digest);
  if (!body) co_return body.error();
  const std::uint64_t size = (*body)->size();
  std::vector<Sha256> roots;
  for (bool is_done = false; !is_done;) {
    auto some = co_await storage_.blobs().pool().run(
        [&] { return Torrent::hash_some((*body)->file(), size, kBytesATurn, roots); });
    if (!some) co_return some.error();
    is_done = *some;
  }
  auto torrent = Torrent::make(digest, size, std::move(roots));
  if (!torrent) co_return torrent.error();
  co_return std::make_shared<const Torrent>(std::move(*torrent));
}

}  // namespace wherry::swarm
