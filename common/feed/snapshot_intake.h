// SnapshotIntake: takes a snapshot in beside the state that is in use, and proves it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/feed/record.h"
#include "common/feed/signature.h"
#include "common/feed/staged.h"
#include "common/feed/verifier.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// The next bytes of a stream of records, from wherever they come; empty at the end.
using NextPiece = std::function<Task<Result<Buffer>>()>;

/// Stages the rows of a snapshot (staged.h), applies the entries that follow them up to a signed head, and compares the
/// result with the signed digest of each project. What came of a stream that broke off stays, and another may go on
/// with it. On one loop.
class SnapshotIntake {
 public:
  static constexpr std::size_t kRowsAtOnce = 1000;

  /// `keys` learns what is announced. `first_contact`: the first key that comes is trusted when none is. `sees_all`: a
  /// project that is not in it is a lie.
  SnapshotIntake(kv::KeyValue& store, TrustedKeys& keys, bool first_contact, bool sees_all)
      : store_(store), keys_(keys), first_contact_(first_contact), sees_all_(sees_all) {}

  /// How far one came: the signed head that it began with, and the last row that is staged.
  struct Progress {
    std::optional<SignedHead> base;
    std::string last_row;
  };
  Task<Result<Progress>> progress();
  /// Says whether a snapshot that begins with this head is wanted at all.
  using Admit = std::function<Result<void>(const Head& base)>;
  /// Goes on from there and takes all that comes; gives the head up to which the staged state is. Errors: kInvalid for
  /// what cannot be believed (then nothing is staged any more), kUpstream for a stream that ended before its end, those
  /// of `next`.
  Task<Result<SignedHead>> take(const NextPiece& next, Progress& progress, const Admit& admit);
  /// Forgets what is staged.
  Task<Result<void>> drop();

 private:
  struct Taking;

  Task<Result<SignedHead>> take_records(const NextPiece& next, Progress& progress, const Admit& admit);
  /// Takes the records that have come, up to the first that is not whole.
  Result<void> take_some(Taking& taking, Progress& progress, const Admit& admit);
  Result<void> take_one(Taking& taking, const Record& record, Progress& progress, const Admit& admit);
  Result<void> take_before_rows(Taking& taking, const Record& record, Progress& progress, const Admit& admit);
  Result<void> take_row(Taking& taking, std::string_view payload);
  Result<void> take_after_rows(Taking& taking, const Record& record);
  Result<void> take_project(Taking& taking, std::string_view payload);
  Task<Result<void>> stage_rows(Taking& taking, Progress& progress);
  Task<Result<void>> apply_entries(Taking& taking);
  Task<Result<void>> prove(const Taking& taking);

  kv::KeyValue& store_;
  TrustedKeys& keys_;
  const bool first_contact_;
  const bool sees_all_;
};

/// "The snapshot cannot be believed", and how so: kInvalid.
Error unbelievable_snapshot(std::string_view how);

}  // namespace wherry::feed
