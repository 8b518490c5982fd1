// AnsweredAhead: what somebody was told of tags before the feed had come that far.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/kv/key_value.h"
#include "common/oci/reference.h"

namespace wherry::node {

/// This node asked what a tag names and passed the answer on, as of a position that its feed has not brought yet: until
/// it has, the feed's word on that tag is older than what was said. Kept in rows, so that a killed node remembers, and
/// a tag at a time, so that a parent that lies about its position has a say in nothing but the tags it was asked for.
/// Any loop.
class AnsweredAhead {
 public:
  /// Tags remembered, the furthest of them.
  static constexpr std::size_t kMost = 4096;

  explicit AnsweredAhead(kv::KeyValue& store) : store_(store) {}

  /// Reads what an earlier run wrote; what `applied` covers is forgotten. Errors: kCorrupt, kIo.
  Task<Result<void>> load(std::uint64_t applied);
  /// To be called before the answer, and put() in a transaction that is synced before it.
  void note(const RepositoryName& repository, const Tag& tag, std::uint64_t position, std::uint64_t applied);
  Result<void> put(kv::Transaction& transaction, const RepositoryName& repository, const Tag& tag,
                   std::uint64_t position);
  /// O(1) and no lock when nothing is ahead of `position`.
  bool is_behind(const RepositoryName& repository, const Tag& tag, std::uint64_t position) const;
  /// Another history counts from now on. Errors: kIo.
  Task<Result<void>> forget();

  /// The same for one who applies the entry of that position.
  static Result<bool> is_behind(kv::Transaction& transaction, const RepositoryName& repository, std::string_view tag,
                                std::uint64_t position);

 private:
  void insert(std::string row, std::uint64_t position, std::uint64_t applied);

  kv::KeyValue& store_;
  std::atomic<std::uint64_t> furthest_{0};
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> known_;       // by the row's key, under mutex_
  std::vector<std::pair<std::string, std::uint64_t>> no_longer_;  // rows to erase if they say that, under mutex_
};

}  // namespace wherry::node
