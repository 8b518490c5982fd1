// TorrentBook: the torrents of the blobs that are here, each made once.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "common/async/per_loop.h"
#include "common/async/semaphore.h"
#include "common/async/single_flight.h"
#include "common/base/clock.h"
#include "common/registry/catalog.h"
#include "common/registry/storage.h"
#include "common/swarm/torrent.h"

namespace wherry::swarm {

using SharedTorrent = std::shared_ptr<const Torrent>;

/// Gets the master's word that a torrent is the blob's, as somebody who may read it in that repository: the one that it
/// has, if that is good; empty where there is none to give. Any loop. Errors: whatever kept it away.
using Vouch = std::function<Task<Result<std::string>>(RepositoryName repository, SharedTorrent torrent)>;

/// Made when a blob is first shared, by reading it once on the pool (its pages were written a moment ago), kept as
/// rows, with the master's word. Any loop.
class TorrentBook {
 public:
  static constexpr std::size_t kMadeAtOnce = 2;           ///< on each loop: whoever asks for many keeps no disk busy
  static constexpr std::chrono::seconds kAskedAgain{30};  ///< before the master's word is asked for once more
  static constexpr std::size_t kMostRemembered = 256;     ///< on each loop; all are forgotten then
  static constexpr std::size_t kMostRememberedBytes = std::size_t{8} << 20;  ///< of their roots; the same

  TorrentBook(registry::Storage& storage, Vouch vouch, const std::vector<Loop*>& loops)
      : storage_(storage), vouch_(std::move(vouch)), remembered_(loops), making_(loops) {}

  /// Of a blob that the repository holds whole; without a voucher where none can be had. Errors: those of Blobs::open()
  /// and Torrent::make().
  Task<Result<SharedTorrent>> of(registry::Blobs& blobs, RepositoryName repository, Digest digest);
  /// One that came from a parent. Never an error: it can be made again.
  Task<void> keep(SharedTorrent torrent);
  Task<void> stop() { return making_.stop(); }

 private:
  struct Known {
    SharedTorrent torrent;
    Monotonic since;
  };
  struct Remembered {
    std::unordered_map<Digest, Known> torrents;
    std::size_t bytes = 0;
    Semaphore makes{kMadeAtOnce};
  };
  Task<Result<SharedTorrent>> find_or_make(registry::Blobs& blobs, RepositoryName repository, Digest digest);
  Task<Result<SharedTorrent>> stored(Digest digest);
  Task<Result<SharedTorrent>> make(registry::Blobs& blobs, RepositoryName repository, Digest digest);
  void remember(const SharedTorrent& torrent);

  registry::Storage& storage_;
  const Vouch vouch_;
  PerLoop<Remembered> remembered_;
  SingleFlight<Result<SharedTorrent>> making_;
};

}  // namespace wherry::swarm
