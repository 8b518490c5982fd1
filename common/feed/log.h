// The feed's log: changes in the order they were committed, chained by hashes, kept in the same store and written in
// the same transaction as the data they tell of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/change.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// SHA-256(chain of the entry before || encoded entry); 32 zero bytes before the first.
using ChainHash = std::array<std::byte, 32>;

/// Where the log ends. Position 0: nothing was ever appended.
struct Head {
  std::uint64_t position = 0;
  std::uint64_t epoch = 1;
  ChainHash chain{};
  bool operator==(const Head&) const = default;
};

/// One entry as stored: the change, the exact bytes that the chain covers, and the chain's hash after it.
struct Entry {
  Change change;
  std::string encoded;
  ChainHash chain;
};

inline constexpr char kEntryPrefix = 'f';  ///< 'f' be64(position) -> chain hash, encoded change
inline constexpr char kHeadKey = 'F';      ///< the head row

/// The hash after `encoded` follows `previous`.
ChainHash next_chain(const ChainHash& previous, std::string_view encoded);

/// Gives `change` the next position in the present epoch and writes it and the new head within the caller's
/// transaction. Gives the new head. Errors: those of the transaction, kInvalid for a change that decode() would refuse,
/// kCorrupt for a damaged head row.
Result<Head> append(kv::Transaction& transaction, Change change);
/// The head as that transaction sees it.
Result<Head> head(kv::Transaction& transaction);
/// Starts a higher epoch (after a restore from a backup). Errors: kInvalid when it is not higher.
Result<void> begin_epoch(kv::Transaction& transaction, std::uint64_t epoch);

/// The head after all that was answered.
Task<Result<Head>> head(kv::KeyValue& store);
/// At most `limit` entries from position `from` on (counted from 1), without a gap; fewer, or none, at the end.
/// Errors: kCorrupt when an entry is damaged, missing, or does not close the chain with the one before it in this
/// answer.
Task<Result<std::vector<Entry>>> read(kv::KeyValue& store, std::uint64_t from, std::size_t limit);

}  // namespace wherry::feed
