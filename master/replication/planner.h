// Planner: what has to be done so that the target has what the policy wants of the source.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/replication/changes.h"
#include "master/replication/gate.h"
#include "master/replication/policy.h"
#include "master/replication/records.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// Lists both sides and compares digests: an image that is the same there and here costs one question, and no task. One
/// loop; all of it outlives it.
class Planner {
 public:
  static constexpr std::size_t kMaxDeletions = 100'000;  ///< of one execution; the next one goes on
  static constexpr std::size_t kMaxTags = 1'000'000;     ///< of one repository
  using Sink = std::function<Task<Result<void>>(TaskRecord)>;

  /// `near` is the side that can be asked for nothing; the same as one of the two.
  Planner(const Policy& policy, Source& source, Target& target, Side& near, Gate& gate, Sink sink)
      : policy_(policy), source_(source), target_(target), near_(near), gate_(gate), sink_(std::move(sink)) {}

  /// Gives the tasks to the sink, copies first. With `only` looks at what was touched alone, so that a push costs what
  /// it changed. Errors: those of both sides; kInvalid when a policy that deletes finds a source without any
  /// repository.
  Task<Result<void>> plan(const std::optional<std::map<std::string, Touched>>& only,
                          const std::vector<std::pair<std::string, Digest>>& gone);
  /// Whether more is to be deleted than kMaxDeletions: then the same has to be looked at once more.
  bool is_cut_short() const { return cut_short_; }

 private:
  using Names = std::pair<RepositoryName, RepositoryName>;  // at the source, at the target

  bool wants_tag(const std::string& tag) const;
  Task<Result<std::vector<std::string>>> all_repositories(Side& side);
  Task<Result<std::vector<std::string>>> source_repositories();
  Task<Result<std::vector<std::string>>> all_tags(Side& side, const RepositoryName& repository);
  bool wants_all_manifests() const;
  Task<Result<void>> repository(const Names& names);
  Task<Result<void>> touched(const Names& names, const Touched& what);
  bool are_tags_enough(const Touched& what) const;
  Task<Result<void>> touched_tag(const Names& names, const std::string& tag);
  Task<Result<bool>> touched_manifest(const Names& names, Digest digest);
  Task<Result<std::map<std::string, Digest>>> selected(const Names& names, const std::vector<std::string>& tags);
  Task<Result<void>> look_at(const Names& names, const std::string& tag, std::map<std::string, Digest>& images);
  Task<Result<std::optional<Digest>>> resolve_tag(const RepositoryName& source, const std::string& tag);
  Task<Result<void>> keep_latest(const RepositoryName& source, std::map<std::string, Digest>& images);
  Task<Result<void>> compare(const Names& names, const std::string& tag, Digest digest, bool may_be_there);
  Task<Result<bool>> same_referrers(const Names& names, Digest digest, std::size_t depth);
  Task<Result<void>> untagged(const Names& names);
  Task<Result<void>> superfluous_tags(const Names& names, const std::set<std::string>& at_source,
                                      const std::vector<std::string>& at_target);
  Task<Result<void>> superfluous_manifests(const Names& names);
  Task<Result<void>> superfluous_repositories(const std::set<std::string>& at_source);
  Task<Result<void>> gone_manifests(const std::vector<std::pair<std::string, Digest>>& gone);
  Task<Result<void>> add_copy(const Names& names, const std::string& tag, Digest digest);
  void add_deletion(TaskKind kind, const Names& names, const std::string& tag, std::string digest);
  /// The subject of a fallback tag.
  static std::optional<Digest> subject_of(const std::string& tag);

  const Policy& policy_;
  Source& source_;
  Target& target_;
  Side& near_;
  Gate& gate_;
  Sink sink_;
  std::vector<TaskRecord> deletions_;
  std::set<std::string> deleted_;  // repository and digest, each once
  bool cut_short_ = false;
};

}  // namespace wherry::replication
