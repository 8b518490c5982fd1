// FollowedNames: the parent's names as its feed has told them, for the cache to answer from.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/clock.h"
#include "common/feed/signature.h"
#include "common/registry/name_store.h"
#include "node/follow/answered_ahead.h"

namespace wherry::node {

/// How far the feed has been applied, and when the master last said that this was the newest. Any loop.
class FollowedNames {
 public:
  explicit FollowedNames(kv::KeyValue& store) : store_(store), answered_ahead_(store) {}

  struct Standing {
    std::uint64_t position;
    std::chrono::seconds age;  ///< since the master's last word; 0 when its clock is ahead
  };
  /// Nothing until all that was there when the feed was first met has been applied: names may be missing until then.
  std::optional<Standing> standing() const;

  /// Whether the feed tells of that repository.
  Task<Result<bool>> knows(const RepositoryName& repository) const;
  /// What a tag names. Errors: kManifestUnknown. Read standing() before: what is read is at least of that position.
  Task<Result<Digest>> tag(const RepositoryName& repository, const Tag& tag);
  /// Errors: kNameUnknown.
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit);
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit);

  /// What somebody was told before the feed had brought it.
  AnsweredAhead& answered_ahead() { return answered_ahead_; }
  /// True when an answer of that position is to be noted there, which note_ahead() begins.
  bool is_ahead(std::uint64_t position) const;
  void note_ahead(const RepositoryName& repository, const Tag& tag, std::uint64_t position);

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
  AnsweredAhead answered_ahead_;
};

}  // namespace wherry::node
