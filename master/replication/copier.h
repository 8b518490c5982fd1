// Copier: brings one image to the target, complete and in order.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "common/oci/manifest.h"
#include "master/replication/gate.h"
#include "master/replication/records.h"
#include "master/replication/shared.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// Blobs, then the manifests that a manifest lists, then itself, then what refers to it, the tag last: so that whatever
/// breaks, the target never shows an image that cannot be pulled. What is there is not sent again. What it sends is
/// counted in the task, which `save` keeps. All of it outlives it. One loop.
class Copier {
 public:
  static constexpr std::size_t kMaxDepth = 8;           ///< of indexes in indexes
  static constexpr std::size_t kMaxManifests = 20'000;  ///< of one image, referrers of referrers too
  using Save = std::function<Task<Result<void>>()>;

  Copier(Source& source, Target& target, const Destination& destination, Gate& gate, Shared& shared, TaskRecord& task,
         Save save)
      : source_(source),
        target_(target),
        destination_(destination),
        gate_(gate),
        shared_(shared),
        task_(task),
        save_(std::move(save)) {}

  /// False when the source no longer has what the task is about. Errors: those of both sides and of the gate.
  Task<Result<bool>> copy();

 private:
  struct Names {
    RepositoryName source;
    RepositoryName target;
  };
  Task<Result<void>> image(const Names& names, Digest digest);
  Task<Result<void>> bring(const Names& names, Digest digest, std::size_t depth);
  Task<Result<void>> children(const Names& names, const Manifest& manifest, std::size_t depth);
  Task<Result<void>> optional_child(const Names& names, Digest digest, std::size_t depth);
  Task<Result<void>> referrers(const Names& names, Digest subject);
  Task<Result<void>> list_in_fallback(const RepositoryName& repository, Digest subject,
                                      std::vector<Descriptor> referrers);
  Task<Result<void>> blob(const Names& names, Descriptor blob);
  Task<std::optional<RepositoryName>> place_to_mount_from(const Names& names, Descriptor blob);
  Task<Result<void>> took(std::uint64_t bytes);

  Source& source_;
  Target& target_;
  const Destination& destination_;
  Gate& gate_;
  Shared& shared_;
  TaskRecord& task_;
  Save save_;
  std::set<Digest> brought_;
  std::vector<Digest> order_;  // of those
};

}  // namespace wherry::replication
