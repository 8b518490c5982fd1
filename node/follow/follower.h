// Follower: keeps this node in step with its parent's feed.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/feed/heads.h"
#include "common/feed/publisher.h"
#include "common/feed/verifier.h"
#include "common/http/client.h"
#include "common/observe/metrics.h"
#include "common/registry/policy_keeper.h"
#include "common/registry/storage.h"
#include "node/eviction/cache_space.h"
#include "node/follow/applier.h"
#include "node/follow/followed_names.h"
#include "node/follow/join.h"
#include "node/follow/membership.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// How the parent's feed is asked; its URL without a slash at the end, empty without a parent.
http::ClientOptions feed_client_options(const Upstreams& upstreams);
std::string parent_url(const Upstreams& upstreams);

/// One stream, held open; on the home loop. What it brings is verified, applied (Applier), and then published to this
/// node's own children.
class Follower final : public feed::Heads {
 public:
  /// Without a byte for that long (the parent signs three times in it) the stream is given up and begun anew.
  static constexpr std::chrono::milliseconds kSilence{35'000};
  static constexpr std::chrono::milliseconds kFirstPause{100};
  static constexpr std::chrono::milliseconds kLongestPause{5'000};
  /// Snapshots of the parent that are passed on to children at once; who comes later is told to come again.
  static constexpr std::size_t kMostRelays = 16;
  static constexpr std::chrono::milliseconds kNoFeedPause{60'000};  ///< before a parent without a feed is asked again

  /// All outlive it.
  Follower(registry::Storage& storage, CacheSpace& space, const Upstreams& upstreams, FollowOptions options,
           FollowedNames& names, registry::PolicyKeeper& policy, feed::Publisher& publisher, Membership& membership,
           Metrics& metrics);

  /// Reads where it was, and begins. Errors: kCorrupt, kInvalid for a configured key that is none.
  Task<Result<void>> start();
  Task<void> stop();

  /// Calls `applied` for each entry that this node sees, once it is applied, but for those of its first catching up.
  /// Home loop; before start().
  void on_applied(std::function<void(const feed::Change&)> applied) { on_applied_ = std::move(applied); }
  /// Begins the stream anew: this node is somebody else now. Home loop.
  void reconnect();

  enum class State { kOff, kConnecting, kFollowing, kNoFeed, kAlarmed };
  /// For /status.json: one JSON object. Home loop.
  std::string status() const;

  /// Any loop.
  Task<Result<std::optional<Closing>>> closing(const std::vector<feed::Entry>& entries) override;
  /// The parent's, passed on: what a snapshot is proven by only the master can sign. Any loop.
  Task<Result<void>> snapshot(feed::SnapshotStart start, feed::Visibility visibility, feed::SendPiece send) override;
  bool has_feed() const override { return has_feed_.load(std::memory_order_relaxed); }
  bool is_origin() const override { return false; }

 private:
  Task<void> run();
  Task<Result<void>> follow_once();
  void cut_stream();
  Task<Result<void>> take_stream(http::Transfer& stream, feed::Verifier& verifier);
  Task<Result<void>> read_stream(http::Transfer& stream, feed::Verifier& verifier);
  /// Tells everyone what was applied just now.
  void applied(const std::vector<feed::Batch>& batches, bool was_complete);
  /// Whether what is here was followed by one who sees the same projects as this node does now.
  Task<Result<bool>> check_view();
  /// When the parent's feed does not go on from here: by way of a snapshot.
  Task<Result<void>> join(Join::Because because);
  /// What a crash or a full disk interrupted, before anything else is believed.
  Task<Result<void>> finish_swap();
  Task<Result<void>> relay(feed::SnapshotStart start, feed::SnapshotFilter& filter, Loop& client_loop,
                           const feed::SendPiece& send);
  Task<Result<void>> load_keys();
  Task<Result<void>> load_place();
  /// A question to the parent's feed, signed by this node.
  http::ClientRequest request(const std::string& target);
  void note(const Result<void>& outcome);
  /// After a snapshot: the policies as they are now.
  Task<Result<void>> tell_policies();
  void tell(const feed::Change& change, bool live);
  Task<Result<std::unique_ptr<http::Transfer>>> open(const std::string& target);

  registry::Storage& storage_;
  CacheSpace& space_;
  const Upstreams& upstreams_;
  const FollowOptions options_;
  FollowedNames& names_;
  registry::PolicyKeeper& policy_;
  feed::Publisher& publisher_;
  Membership& membership_;
  Loop& home_;
  feed::TrustedKeys keys_;
  std::function<void(const feed::Change&)> on_applied_;
  std::unique_ptr<http::Client> client_;
  std::unique_ptr<http::Client> relay_client_;  // its own: slow children do not take the stream's connections
  std::size_t relays_ = 0;
  http::Transfer* stream_ = nullptr;  // the one that is read just now
  Applier applier_;
  std::optional<std::string> staged_view_;  // whose view a snapshot that is staged is
  std::uint64_t newest_ = 0;
  State state_ = State::kOff;
  std::atomic<bool> has_feed_{false};
  std::string trouble_;
  std::chrono::milliseconds pause_ = kFirstPause;
  Scope scope_;
  Sleeper sleeper_;
  bool stopping_ = false;
  Counter entries_;
  Counter alarms_;
  Counter streams_;
  Counter joins_;
};

}  // namespace wherry::node
