// The deleting half of Planner: what the target has and the source does not.
#include "master/replication/planner.h"

namespace wherry::replication {

Task<Result<void>> Planner::superfluous_tags(const Names& names, const std::set<std::string>& at_source,
                                             const std::vector<std::string>& at_target) {
  for (const std::string& tag : at_target) {
    if (at_source.contains(tag) || !wants_tag(tag)) continue;
    if (const auto subject = subject_of(tag)) {
      auto lists = co_await target_.lists_referrers(names.second);
      if (!lists) co_return lists.error();
      const Reference reference(*subject);
      auto still = co_await source_.resolve(names.first, reference);
      if (!still) co_return still.error();
      if (!*lists && *still) continue;  // made there, of what came
    }
    add_deletion(TaskKind::kDeleteTag, names, tag, "");
  }
  co_return Result<void>();
}

/// Whatever manifest the source does not have, where both sides list what they have: the target first, so that nothing
/// is taken for superfluous that came to both meanwhile.
Task<Result<void>> Planner::superfluous_manifests(const Names& names) {
  if (!wants_all_manifests()) co_return Result<void>();
  auto there = co_await target_.manifests(names.second, Side::Which::kAll);
  if (!there) co_return there.error();
  if (!*there || (*there)->empty()) co_return Result<void>();
  auto here = co_await source_.manifests(names.first, Side::Which::kAll);
  if (!here) co_return here.error();
  if (!*here) co_return Result<void>();
  for (const Digest& digest : **there)
    if (!(*here)->contains(digest)) add_deletion(TaskKind::kDeleteManifest, names, "", digest.to_string());
  co_return Result<void>();
}

Task<Result<void>> Planner::superfluous_repositories(const std::set<std::string>& at_source) {
  auto listed = co_await all_repositories(target_);
  if (!listed) co_return listed.error();
  for (const std::string& name : *listed) {
    auto target = RepositoryName::parse(name);
    if (!target) continue;
    auto source = policy_.destination.source_of(*target);
    if (!source || at_source.contains(source->text()) || !policy_.wants_repository(source->text())) continue;
    auto tags = co_await all_tags(target_, *target);
    if (!tags) co_return tags.error();
    const Names names{std::move(*source), std::move(*target)};
    auto found = co_await superfluous_tags(names, {}, *tags);
    if (found) found = co_await superfluous_manifests(names);
    if (!found) co_return found;
  }
  co_return Result<void>();
}

Task<Result<void>> Planner::gone_manifests(const std::vector<std::pair<std::string, Digest>>& gone) {
  for (const auto& [name, digest] : gone) {
    if (!policy_.wants_repository(name)) continue;
    auto source = RepositoryName::parse(name);
    if (!source) continue;
    auto target = policy_.destination.of(*source);
    if (!target) continue;
    const Reference reference(digest);
    auto still = co_await source_.resolve(*source, reference);
    if (!still) co_return still.error();
    if (*still) continue;
    auto there = co_await target_.resolve(*target, reference);
    if (!there) co_return there.error();
    if (!*there) continue;
    const Names names{std::move(*source), std::move(*target)};
    add_deletion(TaskKind::kDeleteManifest, names, "", digest.to_string());
  }
  co_return Result<void>();
}

void Planner::add_deletion(TaskKind kind, const Names& names, const std::string& tag, std::string digest) {
  cut_short_ = cut_short_ || deletions_.size() >= kMaxDeletions;
  if (cut_short_) return;
  if (!deleted_.insert(names.second.text() + '\0' + tag + '\0' + digest).second) return;
  TaskRecord task;
  task.kind = kind;
  task.repository = names.first.text();
  task.target = names.second.text();
  task.tag = tag;
  task.digest = std::move(digest);
  deletions_.push_back(std::move(task));
}

}  // namespace wherry::replication
