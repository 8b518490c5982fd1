// Records: how the feed, its snapshots and its bundles look on the wire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/feed/change.h"

namespace wherry::feed {

/// What a record holds. The letters are sent: never reuse one.
enum class RecordKind : char {
  kKey = 'K',      ///< KeyRecord
  kEntry = 'E',    ///< Change::encode()
  kHidden = 'X',   ///< hashes of entries that this follower may not see, 32 bytes each
  kHead = 'H',     ///< SignedHead: closes all entries before it
  kRow = 'R',      ///< of a snapshot: a row of the state, key then value, each with its length
  kRowsEnd = 'Z',  ///< of a snapshot: empty; entries since its first row follow
  kProject = 'D',  ///< of a snapshot: SignedProject
};

inline constexpr std::size_t kMaxRecordBytes = Change::kMaxEncodedBytes + 1024;
inline constexpr std::size_t kMaxHiddenInARecord = 1024;
/// That the master closes by one head when it sends what is in the log; more would be read to no end.
inline constexpr std::size_t kEntriesOfAHead = 1024;
inline constexpr std::size_t kRecordHeadBytes = 5;

/// Appends be32(size), the kind and the payload.
void append_record(std::string& out, RecordKind kind, std::string_view payload);

struct Record {
  RecordKind kind;
  std::string_view payload;
};

/// Takes records out of bytes that come in pieces. Keeps one record at most, kMaxRecordBytes.
class RecordReader {
 public:
  /// The next piece; all records of the one before must have been taken.
  void feed(std::string_view piece);
  /// The next whole record, valid until the next call; nothing when more bytes are needed. Errors: kInvalid for an
  /// unknown kind or a record over the bound.
  Result<std::optional<Record>> next();
  /// True at the end of a record: a stream that ends elsewhere was cut short.
  bool at_boundary() const { return at_ == kept_.size(); }

 private:
  std::string kept_;
  std::size_t at_ = 0;
};

}  // namespace wherry::feed
