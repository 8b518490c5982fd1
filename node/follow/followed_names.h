// FollowedNames: the parent's names as its feed has told them, for the cache to answer from.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/feed/signature.h"
#include "common/registry/name_store.h"

namespace wherry::node {

/// How far the feed has been applied, and when the master last said that this was the newest. Any loop.
class FollowedNames {
 public:
  explicit FollowedNames(kv::KeyValue& store) : store_(store) {}

  struct Standing {
    std::uint64_t position;
    std::chrono::seconds age;  ///< since the master's last word; 0 when its clock is ahead
  };
  /// Nothing until all that was there when the feed was first met has been applied: names may be missing until then.
  std::optional<Standing> standing() const;

  /// What a tag names. Errors: kManifestUnknown. Read standing() before: what is read is at least of that position.
  Task<Result<Digest>> tag(const RepositoryName& repository, const Tag& tag);
  /// Errors: kNameUnknown.
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit);
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit);

  /// Somebody was told what a tag names as of a position that the feed has not brought yet, because this node asked:
  /// until it has, the feed's word on that tag is older than what was said. Bounded: kMostAhead, the furthest of them.
  static constexpr std::size_t kMostAhead = 4096;
  void answered_ahead(const RepositoryName& repository, const Tag& tag, std::uint64_t position);
  /// O(1) and no lock when nothing is ahead of `position`.
  bool is_behind_an_answer(const RepositoryName& repository, const Tag& tag, std::uint64_t position) const;

  /// Another history counts from now on.
  void forget_answers();

  /// The follower's: the feed is to be followed; what was applied is readable now.
  void enable() { enabled_.store(true, std::memory_order_relaxed); }
  bool is_enabled() const { return enabled_.load(std::memory_order_relaxed); }
  void advance(const feed::SignedHead& head, bool complete);

 private:
  Task<Result<registry::NamePage>> names(std::string prefix, std::string last, std::size_t limit);

  kv::KeyValue& store_;
  std::atomic<std::uint64_t> position_{0};
  std::atomic<std::int64_t> said_at_ms_{0};
  std::atomic<bool> complete_{false};
  std::atomic<bool> enabled_{false};
  std::atomic<std::uint64_t> furthest_ahead_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> ahead_;  // by state_tag_key, under mutex_
};

}  // namespace wherry::node
