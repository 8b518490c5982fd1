// Swarms: this node's part in the swarms of its parent.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/async/per_loop.h"
#include "common/async/pool.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/auth/node_identity.h"
#include "common/observe/metrics.h"
#include "common/store/blob_writer.h"
#include "common/swarm/arrivals.h"
#include "common/swarm/introduction.h"
#include "common/swarm/session.h"
#include "common/swarm/torrent_book.h"
#include "node/swarm/gathering.h"
#include "node/swarm/options.h"
#include "node/swarm/shared_blob.h"
#include "node/swarm/vouchers.h"

namespace wherry::node {

/// Pieces of a file that are as the torrent with that root says.
struct ProvenPieces {
  Sha256 root;
  swarm::PieceSet set;
};

/// A blob, and the repository (by its name here) by which this node may read it.
struct SharedAs {
  RepositoryName repository;
  Digest digest;
};

/// Gathers blobs for fills, and gives what it gathered to its neighbours for swarm.seed-time after that, or until the
/// blob is evicted. What is on its way is passed on to children already. Calls from any loop, but for those where
/// another is said.
class Swarms : public swarm::Arrivals {
 public:
  static constexpr std::size_t kMostShared = 4096;        ///< blobs; what comes beyond is not given to neighbours
  static constexpr std::size_t kMostIdle = 256;           ///< that nobody takes: more cost memory, and can be woken
  static constexpr std::chrono::seconds kHeardEvery{10};  ///< the parent forgets who is silent three times as long

  /// All outlive it.
  Swarms(SwarmOptions options, const Vouchers& vouchers, swarm::TorrentBook& torrents, Pool& disk,
         const std::vector<Loop*>& loops, Metrics& metrics);
  ~Swarms() override;

  /// Starts to listen, on this loop, which is its home. Errors: kInvalid, kIo.
  Task<Result<void>> start();
  /// Ends gatherings, and all that are begun later.
  void cancel();
  /// Ends all; once what gathers has ended.
  Task<void> stop();

  /// Whether this node takes part in any.
  bool takes_part() const { return session_ != nullptr; }

  /// Asks for an introduction where the parent invited to; the blob is on its way from then on. Errors: those of
  /// Origin::ask() and Vouchers::check(); kUpstream.
  Task<Result<swarm::Introduction>> introduce(Origin& origin, const std::string& invitation, const SharedAs& shared);
  /// Brings all of a blob into `writer`; what `known` has, if it is of this torrent, is in its file already, and what
  /// came is in it afterwards, however that ended. Errors: those of Gathering::run().
  Task<Result<void>> gather(Origin& origin, const swarm::Introduction& introduction, store::BlobWriter& writer,
                            std::optional<ProvenPieces>& known, Gathering::Came came);
  /// Gives a blob that is held whole, in `file`, to who wants it, as one that was just gathered. Errors: those of
  /// introduce(); kUnavailable when kMostShared are shared.
  Task<Result<void>> give(Origin& origin, const std::string& invitation, const SharedAs& shared, UniqueFd file);
  /// Whether it takes part in that one's.
  bool shares(const Digest& digest) const;
  std::optional<swarm::Arrival> find(const Digest& digest) const override;
  /// The fill does not come by a swarm any more: children are told to begin anew.
  void comes_otherwise(const Digest& digest);
  /// The blob is here with its row, its digest is right: its pieces may be vouched for.
  Task<void> stored(const Digest& digest);
  /// That blob is not here (any more): neighbours are given nothing more of it.
  void drop(const Digest& digest);
  /// Somebody is not to take part any more: this node leaves all swarms, and is introduced anew where it gathers.
  void leave_all();

  /// What this node takes part in, at most `most` of them: who gathers first, then the newest. A short lock.
  SharedBlobs list(std::size_t most) const;

 private:
  struct Part;
  /// This node's place in a swarm that it is in no more.
  struct Left {
    Origin* origin;
    std::string member;
  };
  void forget(const Digest& digest, bool is_news);
  void leave(Origin& origin, const swarm::Introduction& introduction);
  Task<void> tend();
  std::vector<Digest> idle(Monotonic now);
  std::map<Origin*, std::string> news();
  Task<void> measure();
  Task<void> tell_parent();
  Task<Result<swarm::Introduction>> ask(Origin& origin, const std::string& invitation, const SharedAs& shared);
  Task<Result<std::shared_ptr<Part>>> join(Origin& origin, const swarm::Introduction& introduction, int file,
                                           const swarm::PieceSet& have);
  void ended(const Part& part);
  std::size_t count() const;

  const SwarmOptions options_;
  const Vouchers& vouchers_;
  swarm::TorrentBook& torrents_;
  Pool& disk_;
  const auth::NodeKey key_ = auth::NodeKey::make();
  const std::string key_request_ = key_.certificate_request("swarm");
  std::unique_ptr<swarm::Session> session_;
  mutable std::mutex mutex_;
  std::unordered_map<Digest, std::shared_ptr<Part>> parts_;  // under mutex_
  std::unordered_map<Digest, swarm::Arrival> arriving_;      // under mutex_; of fills that run
  std::unordered_map<Digest, Left> left_;                    // what the parent is to be told, under mutex_
  std::uint64_t ended_received_ = 0;                         // of those that are not in parts_, under mutex_
  std::uint64_t ended_sent_ = 0;                             // the same
  std::uint64_t ended_leased_ = 0;                           // of gatherings, under mutex_
  std::uint64_t ended_pieces_ = 0;                           // as ended_received_
  std::atomic<std::uint64_t> banned_{0};
  std::atomic<bool> stopping_{false};
  PerLoop<Scope> leases_;
  Scope scope_;
  Sleeper sleeper_;
  Sleeper measuring_;
};

}  // namespace wherry::node
