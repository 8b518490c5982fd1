#include "common/swarm/torrent_book.h"

#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::swarm {
namespace {

/// Read in one go by one thread of the pool, so that others get their turn.
constexpr std::uint64_t kBytesATurn = std::uint64_t{16} << 20;

}  // namespace

void TorrentBook::remember(const SharedTorrent& torrent) {
  Remembered& here = remembered_.here();
  const std::size_t bytes = torrent->pieces() * sizeof(Sha256);
  if (here.torrents.size() >= kMostRemembered || here.bytes + bytes > kMostRememberedBytes) {
    here.torrents.clear();
    here.bytes = 0;
  }
  const Known known{torrent, Clock::system().monotonic()};
  if (here.torrents.insert_or_assign(torrent->blob(), known).second) here.bytes += bytes;
}

Task<Result<SharedTorrent>> TorrentBook::of(registry::Blobs& blobs, RepositoryName repository, Digest digest) {
  const auto& torrents = remembered_.here().torrents;
  if (const auto found = torrents.find(digest); found != torrents.end()) {
    const Known& known = found->second;
    const bool is_asked_again = Clock::system().monotonic() - known.since >= kAskedAgain;
    if (!known.torrent->voucher().empty() || !is_asked_again) co_return known.torrent;
  }
  const auto work = [this, &blobs, repository, digest] { return find_or_make(blobs, repository, digest); };
  auto made = co_await making_.join(digest.to_string(), work);
  if (made) remember(*made);
  co_return made;
}

Task<Result<SharedTorrent>> TorrentBook::find_or_make(registry::Blobs& blobs, RepositoryName repository,
                                                      Digest digest) {
  auto torrent = co_await stored(digest);
  if (!torrent) co_return torrent.error();
  const bool is_stored = *torrent != nullptr;
  if (!is_stored) {
    torrent = co_await make(blobs, repository, digest);
    if (!torrent) co_return torrent.error();
  }
  const std::string& before = (*torrent)->voucher();
  auto voucher = co_await vouch_(repository, *torrent);
  if (!voucher)
    log::info("nobody vouches for the pieces of a blob just now",
              {{"digest", digest.to_string()}, {"error", voucher.error().to_string()}});
  const bool is_new = voucher && *voucher != before;
  if (is_new) *torrent = std::make_shared<const Torrent>((*torrent)->vouched_by(std::move(*voucher)));
  if (is_new || !is_stored) co_await keep(*torrent);
  co_return torrent;
}

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
    const std::string key = registry::tables::torrent_key(torrent->blob());
    if (torrent->voucher().empty()) {  // the word that was got otherwise is not lost
      auto row = transaction.get(key);
      if (!row) return row.error();
      if (*row) {
        const auto before = Torrent::decode(torrent->blob(), **row);
        if (before && before->is_same(*torrent)) return {};
      }
    }
    transaction.put(key, torrent->encode_vouched());
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
  Hasher whole(digest.algorithm());
  const auto turn = co_await remembered_.here().makes.take();
  for (bool is_done = false; !is_done;) {
    auto some = co_await storage_.blobs().pool().run(
        [&] { return Torrent::hash_some((*body)->file(), size, kBytesATurn, roots, whole); });
    if (!some) co_return some.error();
    is_done = *some;
  }
  if (whole.finish() != digest)
    co_return Error(ErrorKind::kCorrupt, "the file of {} is damaged: it is not shared", digest.to_string());
  auto torrent = Torrent::make(digest, size, std::move(roots));
  if (!torrent) co_return torrent.error();
  co_return std::make_shared<const Torrent>(std::move(*torrent));
}

}  // namespace wherry::swarm
