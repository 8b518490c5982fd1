#include "common/swarm/torrent_book.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::swarm {
namespace {

/// Read in one go by one thread of the pool, so that others get their turn.
constexpr std::uint64_t kBytesATurn = std::uint64_t{16} << 20;

}  // namespace

SharedTorrent TorrentBook::find(const Digest& digest) {
  const Remembered& here = remembered_.here();
  const auto found = here.find(digest);
  return found == here.end() ? nullptr : found->second;
}

void TorrentBook::remember(const SharedTorrent& torrent) {
  Remembered& here = remembered_.here();
  if (here.size() >= kMostRemembered) here.clear();
  here[torrent->blob()] = torrent;
}

Task<Result<SharedTorrent>> TorrentBook::of(registry::Blobs& blobs, RepositoryName repository, Digest digest) {
  if (SharedTorrent known = find(digest)) co_return known;
  const auto work = [this, &blobs, repository, digest] { return make(blobs, repository, digest); };
  auto made = co_await making_.join(digest.to_string(), work);
  if (made) remember(*made);
  co_return made;
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
  auto row = co_await storage_.names().get(registry::tables::torrent_key(digest));
  if (!row) co_return row.error();
  if (*row) {
    auto torrent = Torrent::decode(digest, **row);
    if (torrent) co_return std::make_shared<const Torrent>(std::move(*torrent));
  }
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
  auto shared = std::make_shared<const Torrent>(std::move(*torrent));
  co_await keep(shared);
  co_return shared;
}

}  // namespace wherry::swarm
