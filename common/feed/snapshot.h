// Snapshot: the state at a position, for followers that cannot go on from where they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/segment.h"
#include "common/feed/signature.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// Where a snapshot begins: the rows after `after_row` (a key of the state; empty: all of them), and then the entries
/// after the head `base`. Who begins has no base yet and is told one; who goes on names the one that it was told.
struct SnapshotStart {
  std::optional<Head> base;
  std::string after_row;
};

/// Sends what is to be sent; an error ends the snapshot.
using SendPiece = std::function<Task<Result<void>>(std::string_view)>;

/// Writes a snapshot as records: keys, the signed head of its base, the rows of the state that the follower may see (as
/// they are when each page is read), kRowsEnd, the entries since the base with the heads that close them, and each
/// visible project's signed digest at the last of those heads. The rows are of different moments: applied over them the
/// entries give the state at that head exactly, and the digests prove it. Nothing is held open meanwhile, so that it
/// may take as long as a thin link needs. Errors: kNotFound when the entries since the base were compacted.
Task<Result<void>> write_snapshot(kv::KeyValue& store, const SigningKey& key, SnapshotStart start,
                                  Visibility visibility, SendPiece send);

/// Takes out of a snapshot's records what another follower may not see.
class SnapshotFilter {
 public:
  explicit SnapshotFilter(Visibility visibility) : visibility_(std::move(visibility)) {}
  /// What is to be sent on for the next piece. Errors: kInvalid for what are no records.
  Result<std::string> pass(std::string_view piece);

 private:
  Visibility visibility_;
  RecordReader reader_;
};

}  // namespace wherry::feed
