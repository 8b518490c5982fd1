// Heads: where signatures over the log and its state come from: the master makes them, a node has received them.
#pragma once

#include <cstddef>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/feed/log.h"
#include "common/feed/signature.h"
#include "common/feed/snapshot.h"

namespace wherry::feed {

/// For streams that read the log. Any loop.
class Heads {
 public:
  virtual ~Heads() = default;
  /// A head that closes the first entries of `entries` (which follow each other, and are not empty), as many as can be,
  /// and how many that are; nothing when it has none for any of them.
  struct Closing {
    SignedHead head;
    std::size_t entries;
  };
  virtual Task<Result<std::optional<Closing>>> closing(const std::vector<Entry>& entries) = 0;
  /// Sends a snapshot (snapshot.h). Errors, beside those of `send`: kNotFound when `start` is of the past.
  virtual Task<Result<void>> snapshot(SnapshotStart start, Visibility visibility, SendPiece send) = 0;
  /// Whether there is, or is about to be, a feed here.
  virtual bool has_feed() const = 0;
  /// True where entries are made: then what is not in the log is nowhere.
  virtual bool is_origin() const = 0;
};

}  // namespace wherry::feed
