// Verifier: what a follower believes. Turns records from a parent that may lie into batches that the master signed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/feed/log.h"
#include "common/feed/record.h"
#include "common/feed/signature.h"

namespace wherry::feed {

/// Entries with the signed head that closes them. Without entries: a heartbeat.
struct Batch {
  std::vector<Entry> entries;
  SignedHead head;
};

/// Goes on from a position; gives entries out only once a head that a trusted key signed covers them, in order, without
/// a gap, with the chain closed. Pure: no I/O, no clock. Bounds: kMostEntries and kMostBytes before a head.
class Verifier {
 public:
  static constexpr std::size_t kMostEntries = 4096;
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;

  /// `sees_all`: a hidden entry is a lie. `keys` outlives it and learns what is announced. `first_contact`: the first
  /// key that comes is trusted when none is.
  Verifier(Head at, TrustedKeys& keys, bool first_contact, bool sees_all = false)
      : at_(at), pending_(at), keys_(keys), first_contact_(first_contact), sees_all_(sees_all) {}

  /// Takes one record; gives a batch when that closes one. Errors: kInvalid for whatever does not fit, and then nothing
  /// of this stream is to be believed any more.
  Result<std::optional<Batch>> take(const Record& record);

  /// Where the last batch that was given out ended.
  const Head& at() const { return at_; }
  /// The newest position that was signed, as far as this stream has told.
  std::uint64_t newest() const { return newest_; }
  /// True while the parent itself has not come to where this follower is.
  bool parent_is_behind() const { return parent_is_behind_; }

 private:
  Result<void> take_key(std::string_view payload);
  Result<void> take_entry(std::string_view payload);
  Result<void> take_hidden(std::string_view payload);
  Result<std::optional<Batch>> take_head(std::string_view payload);

  Head at_;
  Head pending_;
  TrustedKeys& keys_;
  const bool first_contact_;
  const bool sees_all_;
  std::vector<Entry> entries_;
  std::size_t bytes_ = 0;
  std::uint64_t newest_ = 0;
  bool parent_is_behind_ = false;
};

}  // namespace wherry::feed
