// Gathering: one blob on its way in from its swarm: pieces leased from the parent, the rest from neighbours.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "common/async/bell.h"
#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/store/blob_writer.h"
#include "common/swarm/introduction.h"
#include "common/swarm/neighbourhood.h"
#include "common/swarm/session.h"
#include "common/upstream/origin.h"

namespace wherry::node {

/// Leases what no neighbour has from the parent, kLeasesAtOnce at a time, while libtorrent brings the rest; hands the
/// writer what has come from the front on without a gap. The parent's death does not end it while neighbours send. On
/// one loop. Shared with its leases, which may end after it.
class Gathering : public std::enable_shared_from_this<Gathering> {
 public:
  static constexpr int kLeasesAtOnce = 2;
  /// A piece that neighbours say they have, and do not send, is leased when all wait for it so long.
  static constexpr std::chrono::seconds kPatience{5};
  /// Readers wait at the front: when it stands still for so long, the next kReadAhead pieces are taken first.
  static constexpr std::chrono::milliseconds kReadersPatience{500};
  static constexpr std::uint32_t kReadAhead = 16;
  /// Who got nothing from a neighbour for so long may lease what was leased to others.
  static constexpr std::chrono::seconds kQuiet{1};
  /// The same where none of what neighbours sent was a whole and right piece for so long.
  static constexpr std::chrono::seconds kUseless{3};
  /// Without any piece in so long, the blob is fetched without a swarm.
  static constexpr std::chrono::seconds kHopeless{60};
  /// Without kLeastBytes in so long, the blob is fetched without a swarm.
  static constexpr std::chrono::seconds kDrip{10};
  static constexpr std::uint64_t kLeastBytes = std::uint64_t{64} << 10;

  using Came = std::function<void(std::uint64_t)>;

  Gathering(Origin& origin, std::string member, std::shared_ptr<swarm::Transfer> transfer, std::shared_ptr<Bell> bell);

  /// Until all pieces are in the writer. `came` is told how much of the blob is there from its front on; leases run in
  /// `leases`, of this loop, and outlast it by one answer at most. Errors: kUpstream when it is of no use (any more):
  /// what came stays in the writer, from the front on; kNotFound when the parent does not know this node in the swarm
  /// (any more); kNoSpace, kIo of the disk.
  Task<Result<void>> run(store::BlobWriter& writer, const Came& came, Scope& leases);
  /// Makes it end with kCancelled. Any thread.
  void cancel() { end_with(Ending::kCancelled); }
  /// Makes it end with kNotFound: this node is to be introduced anew. Any thread.
  void begin_anew() { end_with(Ending::kNoMember); }
  std::uint64_t leased_bytes() const { return leased_bytes_.load(std::memory_order_relaxed); }

 private:
  enum class Ending { kNone, kNoMember, kCancelled, kOver };
  void end_with(Ending why) {
    ending_ = why;
    bell_->ring();
  }
  Task<Result<void>> take_in(store::BlobWriter& writer, const Came& came);
  static Task<void> lease(std::shared_ptr<Gathering> self);
  Task<std::chrono::milliseconds> lease_once(std::chrono::milliseconds& nothing);
  enum class Leased { kNothingMissing, kNoneNow, kComesLater, kCrosses, kTaken, kFailed };
  Task<Leased> ask_for_lease(bool starved);
  Task<Result<void>> take_lease(http::Transfer& answer);
  static Task<void> meet_more(std::shared_ptr<Gathering> self);
  Task<void> ask_for_neighbours();
  std::optional<std::string> missing(bool starved) const;
  Result<void> check_progress(Monotonic now);
  void wait_begins_anew(Monotonic now);
  void read_on(Monotonic now);
  /// Until something came, but at least so long.
  Task<void> pause(std::chrono::milliseconds at_least);

  Origin& origin_;
  const std::string member_;
  const std::shared_ptr<swarm::Transfer> transfer_;
  const std::shared_ptr<Bell> bell_;
  const swarm::Torrent& torrent_;
  std::vector<Monotonic> given_at_;  // by piece: when it came by a lease, and was handed to the transfer
  std::uint32_t front_ = 0;          // pieces before it are in the writer
  std::uint32_t read_on_to_ = 0;     // pieces before it were asked for first
  Monotonic front_moved_at_;
  Monotonic neighbours_sent_at_;  // or it began
  std::uint64_t received_bytes_ = 0;
  std::uint32_t neighbours_pieces_ = 0;
  Monotonic neighbours_piece_at_;  // or it began
  std::uint32_t leased_pieces_ = 0;
  std::uint32_t seen_count_ = 0;
  Monotonic piece_at_;  // or it began
  Monotonic claims_ignored_until_{};
  Monotonic watched_from_;
  std::uint64_t watched_bytes_ = 0;
  std::atomic<std::uint64_t> leased_bytes_{0};
  std::atomic<Ending> ending_{Ending::kNone};
  Event moved_;  // something came, or some time passed
};

}  // namespace wherry::node
