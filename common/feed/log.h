// The feed's log: changes in the order they were committed, chained by hashes, kept in the same store and written in
// the same transaction as the data they tell of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/change.h"
#include "common/feed/hash.h"
#include "common/feed/state.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// Where the log ends. Position 0: nothing was ever appended.
struct Head {
  std::uint64_t position = 0;
  std::uint64_t epoch = 1;
  Hash chain{};
  bool operator==(const Head&) const = default;
};

/// One entry: at a follower that may not see it, its hash alone.
class Entry {
 public:
  /// `hash` is that of `encoded`.
  Entry(Change change, std::string encoded, const Hash& hash, const Hash& chain)
      : position_(change.position()),
        change_(std::move(change)),
        encoded_(std::move(encoded)),
        hash_(hash),
        chain_(chain) {}
  Entry(std::uint64_t position, const Hash& hash, const Hash& chain)
      : position_(position), hash_(hash), chain_(chain) {}

  std::uint64_t position() const { return position_; }
  /// Nothing when it is hidden.
  const std::optional<Change>& change() const { return change_; }
  /// The exact bytes that the hash covers; empty when it is hidden.
  const std::string& encoded() const { return encoded_; }
  const Hash& hash() const { return hash_; }
  /// The chain's hash after it.
  const Hash& chain() const { return chain_; }

 private:
  std::uint64_t position_;
  std::optional<Change> change_;
  std::string encoded_;
  Hash hash_;
  Hash chain_;
};

inline constexpr char kEntryPrefix =
    'f';                               ///< 'f' be64(position) -> chain hash, then the entry or, hidden, 0 and its hash
inline constexpr char kHeadKey = 'F';  ///< the head row

/// Appends within a transaction and keeps the state (state.h) in step. The first error stays, and finish() gives it.
class Appender {
 public:
  explicit Appender(kv::Transaction& transaction) : transaction_(transaction), state_(transaction) {}
  Appender(const Appender&) = delete;
  Appender& operator=(const Appender&) = delete;

  /// Gives `change` the next position in the present epoch.
  void append(Change change);
  /// Takes over what another log has at the next position; its chain was checked. Gives what apply() gives.
  std::optional<Digest> receive(const Entry& entry);
  /// The epoch of what was received.
  void set_epoch(std::uint64_t epoch);
  /// Writes the head and the digests, if something was appended. Errors: those of the transaction, kInvalid for a
  /// change that decode() would refuse, kCorrupt for damaged rows.
  Result<Head> finish();

 private:
  bool begin();
  void fail(Error error);

  kv::Transaction& transaction_;
  StateWriter state_;
  std::optional<Head> head_;
  std::optional<Error> error_;
  bool changed_ = false;
};

/// Appends one change.
Result<void> append(kv::Transaction& transaction, Change change);

/// The head as that transaction sees it.
Result<Head> head(kv::Transaction& transaction);
/// Makes an empty log begin after `head`: what a snapshot does.
void begin_after(kv::Transaction& transaction, const Head& head);
/// Positions from `first` on and before `end`.
struct Stretch {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  std::uint64_t size() const { return end - first; }
};
/// Removes entries before `keep_from`, the oldest first and `most` at a time; gives which.
Result<Stretch> compact(kv::Transaction& transaction, std::uint64_t keep_from, std::size_t most);
/// Starts a higher epoch (after a restore from a backup). Errors: kInvalid when it is not higher.
Result<void> begin_epoch(kv::Transaction& transaction, std::uint64_t epoch);

/// The head after all that was answered.
Task<Result<Head>> head(kv::KeyValue& store);

/// Some entries, and whether the first that was asked for is not in the log any more.
struct Entries {
  std::vector<Entry> list;
  bool compacted = false;
};
/// At most `limit` entries from position `from` on (counted from 1), without a gap; fewer, or none, at the end.
/// Errors: kCorrupt when an entry is damaged, missing, or does not close the chain with the one before it in this
/// answer.
Task<Result<Entries>> read(kv::KeyValue& store, std::uint64_t from, std::size_t limit);
/// The chain's hash after the entry at `position`; nothing when that is not in the log (any more).
Task<Result<std::optional<Hash>>> chain_at(kv::KeyValue& store, std::uint64_t position);

}  // namespace wherry::feed
