// CheckedBlobs: stored blobs as bodies of responses, and what happens to one whose bytes are not those that were
// stored.
#pragma once

#include <functional>

#include "common/async/scope.h"
#include "common/observe/metrics.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "common/registry/stored_body.h"

namespace wherry::registry {

/// Opens stored blobs and puts damaged ones aside, file and row in one step of the ordered store: from then on the blob
/// is unknown, and pushing or fetching it again heals every repository that holds it. A file that was replaced by a
/// good one meanwhile stays.
class CheckedBlobs final : public DamageHandler {
 public:
  /// `fate`: a master keeps the file in quarantine/ for people to look at, a node drops it.
  CheckedBlobs(Storage& storage, NameStore& names, store::Fate fate, Loop& home, Metrics& metrics);

  /// Opens a stored blob and checks its front before anybody is promised its bytes: damage there is answered, not
  /// broken off. At once when the blob is open already. Errors: kCorrupt when it is damaged or its file is gone; it was
  /// set aside then.
  Task<Result<std::unique_ptr<http::Body>>> open(Digest digest, store::BlobRow row);

  /// Any loop: sets it aside soon.
  void found_damaged(const Digest& digest, std::optional<store::FileId> file) override;
  Task<void> put_aside(Digest digest, std::optional<store::FileId> file) override;
  /// Sets it aside now, and says so in the log with the repositories that suffer.
  Task<Result<void>> set_aside(Digest digest, std::optional<store::FileId> file);
  /// Who else is to know that a blob was set aside; called on any loop. Set it before anything is served.
  void on_set_aside(std::function<void(const Digest&)> told) { told_ = std::move(told); }
  Task<void> stop() { return scope_.join(); }

 private:
  Storage& storage_;
  NameStore& names_;
  store::Fate fate_;
  Loop& home_;
  Counter damaged_;
  std::function<void(const Digest&)> told_;
  Scope scope_;
};

}  // namespace wherry::registry
