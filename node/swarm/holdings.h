// Holdings: what this node holds and could give to the nodes beside it, told to the parent, who says when it is wanted.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "common/async/scope.h"
#include "common/async/semaphore.h"
#include "common/async/sleep.h"
#include "common/base/random.h"
#include "common/registry/storage.h"
#include "node/swarm/options.h"
#include "node/swarm/swarms.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// A blob that nobody asks for costs its digest here and a place in the parent's book: it is in no swarm. When another
/// node of the site wants it the parent, on whose line this node hangs, says so, and it is given. Whether it may be is
/// found out as always: by an invitation for a repository that it is held for.
class Holdings {
 public:
  static constexpr std::size_t kMost = 10'000;  ///< blobs, about 100 bytes each; what comes beyond is not told
  static constexpr std::size_t kToldAtOnce = 4'000;
  static constexpr std::size_t kWakingAtOnce = 8;

  Holdings(registry::Storage& storage, const Upstreams& upstreams, Swarms& swarms, const SwarmOptions& options);

  /// Begins to tell, on this loop, which is its home; nothing where there is no parent or no swarm.
  void start();
  void cancel();
  /// Once what it asks upstreams was cancelled.
  Task<void> stop();

  /// It is here, or is not any more. Any thread.
  void add(const Digest& digest, std::uint64_t size_bytes);
  void remove(const Digest& digest);

 private:
  Task<void> run();
  Task<void> load();
  /// Tells what changed and waits to be called; true when it went well.
  Task<bool> tell();
  std::vector<Digest> next_changes(std::string& lines);
  void put_back(const std::vector<Digest>& changes);
  bool has_changes();
  bool is_empty();
  void tell_all_again();
  Task<void> wake(Digest digest);
  Task<Result<void>> give(const Digest& digest);
  bool holds(const Digest& digest);
  Task<Result<RepositoryName>> repository_of(const Digest& digest) const;

  registry::Storage& storage_;
  const Upstreams& upstreams_;
  Swarms& swarms_;
  const std::string site_;
  const std::uint64_t least_bytes_;
  const std::string life_ = random_hex(8);  // the parent sees by it when another process of this node's asks
  std::string told_;                        // which of the parent's lives knows all
  std::mutex mutex_;
  std::unordered_set<Digest> held_;           // under mutex_
  std::unordered_map<Digest, bool> changes_;  // under mutex_: whether it is held now; to be told
  std::unordered_set<Digest> waking_;         // of the home loop
  Semaphore turns_{kWakingAtOnce};
  std::atomic<bool> stopping_{false};
  Scope scope_;
  Sleeper sleeper_;
};

}  // namespace wherry::node
