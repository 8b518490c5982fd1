// FillAhead: images that this node is to have before anybody asks, by policies of the master that come with the feed.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/feed/change.h"
#include "common/feed/fill_ahead_policy.h"
#include "common/kv/key_value.h"
#include "common/observe/metrics.h"
#include "node/cache/prefetch.h"

namespace wherry::node {

/// When the feed says that a tag names another image now, and a policy fits, the image is brought in: manifest,
/// children of the wanted platforms, blobs. kAtOnce at a time, kMostWaiting wait; the oldest of more are given up (they
/// come when they are asked for). One that fails is tried again kAttempts times. At home on one loop.
class FillAhead {
 public:
  static constexpr std::size_t kAtOnce = 4;
  static constexpr std::size_t kMostWaiting = 4096;
  static constexpr int kAttempts = 4;
  static constexpr std::chrono::milliseconds kPause{1000};  ///< doubled after each attempt

  /// `name` gives this node's name, empty while it has none.
  FillAhead(kv::KeyValue& store, Prefetch& prefetch, Prefetch::Get get, std::function<std::string()> name,
            Metrics& metrics);

  /// Reads the policies that the feed has told before.
  Task<Result<void>> start();
  /// Begins nothing more and waits for what is on its way; after Upstreams::cancel().
  Task<void> stop();
  /// What the feed has told now.
  void applied(const feed::Change& change);

 private:
  struct Wanted {
    RepositoryName repository;
    Digest digest;
    PlatformChoice platforms;
  };
  void take_policy(const std::string& name, const std::string& json);
  void want(Wanted wanted);
  Task<void> work();

  kv::KeyValue& store_;
  Prefetch& prefetch_;
  Prefetch::Get get_;
  std::function<std::string()> name_;
  std::map<std::string, feed::FillAheadPolicy> policies_;
  std::deque<Wanted> waiting_;
  std::vector<Sleeper*> asleep_;  // one of each work()
  Scope scope_;
  bool stopping_ = false;
  Counter brought_;
  Counter failed_;
  Counter given_up_;
};

}  // namespace wherry::node
