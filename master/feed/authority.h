// Authority: the one who signs the feed and hands it to the streams.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/base/clock.h"
#include "common/feed/heads.h"
#include "common/feed/publisher.h"
#include "common/kv/key_value.h"
#include "common/observe/metrics.h"

namespace wherry::master {

/// Where the feed's private key is kept.
inline std::string key_file(const std::string& data) { return data + "/feed-key.pem"; }

/// Watches the log: what is committed is read once, signed once and published to all streams. At home on one loop.
class Authority final : public feed::Heads {
 public:
  static constexpr std::chrono::seconds kHeartbeat{10};
  static constexpr std::size_t kMostEntriesSigned = 1024;  ///< by one head
  static constexpr std::chrono::minutes kCompactEvery{1};
  static constexpr std::size_t kCompactedAtOnce = 10'000;

  /// Of the log the newest `keep_entries` stay; who is further behind takes a snapshot.
  Authority(kv::KeyValue& store, feed::SigningKey key, std::uint64_t keep_entries, feed::Publisher& publisher,
            const Clock& clock, Metrics& metrics);

  /// Announces the key in the feed if that was not done, publishes the present head and begins to watch.
  Task<Result<void>> start();
  Task<void> stop();

  /// Calls `published` on the home loop each time that new entries were. Before start().
  void on_published(std::function<void()> published) { on_published_ = std::move(published); }

  /// Signs the present head anew: every stream looks up, and those that are not to be any more end.
  void wake_streams() { publish_head(published_); }

  const feed::PublicKey& public_key() const { return key_.public_key(); }

  /// The word on the pieces of a blob that is held here. About 40 us. Any loop.
  feed::SignedRoot sign_root(std::string blob, std::uint64_t size, const feed::Hash& root) const {
    return feed::SignedRoot::sign(std::move(blob), size, root, key_);
  }

  Task<Result<std::optional<Closing>>> closing(const std::vector<feed::Entry>& entries) override;
  Task<Result<void>> snapshot(feed::SnapshotStart start, feed::Visibility visibility, feed::SendPiece send) override {
    return feed::write_snapshot(store_, key_, std::move(start), std::move(visibility), std::move(send));
  }
  bool has_feed() const override { return true; }
  bool is_origin() const override { return true; }

 private:
  struct Wake : Loop::Message {
    Authority* authority = nullptr;
    std::atomic<bool> on_its_way{false};
  };

  Task<Result<void>> announce();
  Task<void> watch();
  Task<void> compact();
  Task<Result<void>> publish_new();
  void publish_head(const feed::Head& head);

  kv::KeyValue& store_;
  feed::SigningKey key_;
  const std::uint64_t keep_entries_;
  feed::Publisher& publisher_;
  const Clock& clock_;
  Loop& home_;
  feed::Head published_;
  Monotonic published_at_{};
  Wake wake_;
  std::function<void()> on_published_;
  Scope scope_;
  Sleeper sleeper_;
  Sleeper compacting_;
  bool woken_ = false;
  bool stopping_ = false;
  Counter signed_;
};

}  // namespace wherry::master
