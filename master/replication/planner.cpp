#include "master/replication/planner.h"

#include <algorithm>

#include "common/async/some_at_a_time.h"
#include "common/base/glob.h"
#include "master/replication/image_facts.h"

namespace wherry::replication {
namespace {

constexpr std::size_t kMaxDepth = 2;  // how deep an image that is the same is looked into for what refers to it

bool any_fits(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) { return path_glob_matches(pattern, text); });
}

bool is_plain(const std::string& pattern) { return pattern.find_first_of("*?") == std::string::npos; }

/// The hex of the digest in front of a tag that tools keep beside an image: "sha256-<hex>.sig".
std::optional<Digest> image_of(std::string_view tag) {
  constexpr std::string_view kPrefix = "sha256-";
  constexpr std::size_t kHexBytes = 64;
  if (!tag.starts_with(kPrefix) || tag.size() < kPrefix.size() + kHexBytes) return std::nullopt;
  auto digest = Digest::parse("sha256:" + std::string(tag.substr(kPrefix.size(), kHexBytes)));
  if (!digest) return std::nullopt;
  return *digest;
}

bool is_beside_an_image(std::string_view tag) {
  return tag.ends_with(".sig") || tag.ends_with(".att") || tag.ends_with(".sbom");
}

}  // namespace

bool Planner::wants_tag(const std::string& tag) const { return any_fits(policy_.filters.tags, tag); }

std::optional<Digest> Planner::subject_of(const std::string& tag) {
  constexpr std::size_t kFallbackBytes = 7 + 64;
  return tag.size() == kFallbackBytes ? image_of(tag) : std::nullopt;
}

Task<Result<std::vector<std::string>>> Planner::all_repositories(Side& side) {
  std::vector<std::string> all;
  std::string last;
  while (true) {
    auto page = co_await side.repositories(last);
    if (!page) co_return page.error();
    all.insert(all.end(), page->names().begin(), page->names().end());
    if (!page->more() || page->names().empty() || page->names().back() <= last) co_return all;
    last = page->names().back();
  }
}

/// A registry need not tell which repositories it has, when the policy names them.
Task<Result<std::vector<std::string>>> Planner::source_repositories() {
  if (std::ranges::all_of(policy_.filters.repositories, is_plain)) co_return policy_.filters.repositories;
  co_return co_await all_repositories(source_);
}

Task<Result<std::vector<std::string>>> Planner::all_tags(Side& side, const RepositoryName& repository) {
  std::vector<std::string> all;
  std::string last;
  while (all.size() < kMaxTags) {
    auto page = co_await side.tags(repository, last);
    if (!page && page.error().kind() == ErrorKind::kNameUnknown) break;
    if (!page) co_return page.error();
    all.insert(all.end(), page->names().begin(), page->names().end());
    // Pages are by `last` in whatever order the registry has; one that stands still would be asked for ever.
    if (!page->more() || page->names().empty() || page->names().back() == last) break;
    last = page->names().back();
  }
  co_return all;
}

Task<Result<void>> Planner::plan(const std::optional<std::map<std::string, Touched>>& only,
                                 const std::vector<std::pair<std::string, Digest>>& gone) {
  std::vector<std::string> names;
  if (only) {
    for (const auto& [name, what] : *only) names.push_back(name);
  } else {
    auto listed = co_await source_repositories();
    if (!listed) co_return listed.error();
    names = std::move(*listed);
    if (policy_.deletions && names.empty())
      co_return Error(ErrorKind::kInvalid,
                      "{} shows no repository at all: nothing is deleted on that word; run it without deletions first",
                      source_.name());
  }
  std::set<std::string> at_source;
  for (const std::string& name : names) {
    auto open = gate_.check();
    if (!open) co_return open;
    auto parsed = RepositoryName::parse(name);
    if (!parsed || !policy_.wants_repository(name)) continue;
    at_source.insert(name);
    auto target = policy_.destination.of(*parsed);
    if (!target) co_return target.error();
    const Names both{std::move(*parsed), std::move(*target)};
    Result<void> planned;
    if (only)
      planned = co_await touched(both, only->at(name));
    else
      planned = co_await repository(both);
    if (!planned) co_return planned;
  }
  if (policy_.deletions) {
    if (!only) {
      auto found = co_await superfluous_repositories(at_source);
      if (!found) co_return found;
    }
    auto found = co_await gone_manifests(gone);
    if (!found) co_return found;
  }
  for (TaskRecord& deletion : deletions_) {
    Task<Result<void>> adding = sink_(std::move(deletion));
    auto added = co_await std::move(adding);
    if (!added) co_return added;
  }
  co_return Result<void>();
}

bool Planner::wants_all_manifests() const {
  const std::vector<std::string> everything{"**"};
  return policy_.filters.tags == everything && !policy_.filters.read_images();
}

Task<Result<void>> Planner::repository(const Names& names) {
  auto tags = co_await all_tags(source_, names.first);
  if (!tags) co_return tags.error();
  auto images = co_await selected(names, *tags);
  if (!images) co_return images.error();
  auto there = co_await all_tags(target_, names.second);
  if (!there) co_return there.error();
  const std::set<std::string> at_target(there->begin(), there->end());
  const std::vector<std::pair<std::string, Digest>> wanted(images->begin(), images->end());
  const NumberedWork compare_one = [&](std::size_t i) {
    return compare(names, wanted[i].first, wanted[i].second, at_target.contains(wanted[i].first));
  };
  auto compared = co_await for_each_below(wanted.size(), policy_.concurrent, compare_one);
  if (!compared) co_return compared;
  if (wants_all_manifests()) {
    auto found = co_await untagged(names);
    if (!found) co_return found;
  }
  if (!policy_.deletions) co_return Result<void>();
  const std::set<std::string> at_source(tags->begin(), tags->end());
  auto found = co_await superfluous_tags(names, at_source, *there);
  if (!found) co_return found;
  co_return co_await superfluous_manifests(names);
}

Task<Result<std::optional<Digest>>> Planner::resolve_tag(const RepositoryName& source, const std::string& tag) {
  auto parsed = Tag::parse(tag);
  if (!parsed) co_return std::optional<Digest>();
  const Reference reference(std::move(*parsed));
  co_return co_await source_.resolve(source, reference);
}

/// Takes a tag in when it is wanted.
Task<Result<void>> Planner::look_at(const Names& names, const std::string& tag, std::map<std::string, Digest>& images) {
  if (!wants_tag(tag)) co_return Result<void>();
  auto open = gate_.check();
  if (!open) co_return open;
  if (subject_of(tag)) {
    // Where the target lists no referrers, the index under this tag is made there, of what came.
    auto lists = co_await target_.lists_referrers(names.second);
    if (!lists) co_return lists.error();
    if (!*lists) co_return Result<void>();
  }
  auto digest = co_await resolve_tag(names.first, tag);
  if (!digest) co_return digest.error();
  if (!*digest) co_return Result<void>();
  if (policy_.filters.read_images()) {
    auto facts = co_await read_facts(source_, names.first, **digest, policy_.filters);
    if (!facts && facts.error().kind() == ErrorKind::kManifestUnknown) co_return Result<void>();
    if (!facts) co_return facts.error();
    if (!facts->fit(policy_.filters)) co_return Result<void>();
  }
  images.emplace(tag, **digest);
  co_return Result<void>();
}

Task<Result<std::map<std::string, Digest>>> Planner::selected(const Names& names,
                                                              const std::vector<std::string>& tags) {
  const RepositoryName& source = names.first;
  std::map<std::string, Digest> images;
  const NumberedWork look_at_one = [&](std::size_t i) { return look_at(names, tags[i], images); };
  auto looked = co_await for_each_below(tags.size(), policy_.concurrent, look_at_one);
  if (!looked) co_return looked.error();
  auto kept = co_await keep_latest(source, images);
  if (!kept) co_return kept.error();
  // Signatures that are kept as tags beside an image go with it.
  std::set<Digest> chosen;
  for (const auto& [tag, digest] : images) chosen.insert(digest);
  for (const std::string& tag : tags) {
    if (!is_beside_an_image(tag) || images.contains(tag)) continue;
    const auto image = image_of(tag);
    if (!image || !chosen.contains(*image)) continue;
    auto digest = co_await resolve_tag(source, tag);
    if (!digest) co_return digest.error();
    if (*digest) images.emplace(tag, **digest);
  }
  co_return images;
}

Task<Result<void>> Planner::keep_latest(const RepositoryName& source, std::map<std::string, Digest>& images) {
  if (policy_.filters.latest == 0 || images.size() <= policy_.filters.latest) co_return Result<void>();
  std::vector<std::pair<std::string, std::string>> by_age;  // when, tag
  for (const auto& [tag, digest] : images) {
    auto facts = co_await read_facts(source_, source, digest, policy_.filters);
    if (!facts) co_return facts.error();
    by_age.emplace_back(facts->created, tag);
  }
  std::ranges::sort(by_age, std::greater());
  for (std::size_t i = static_cast<std::size_t>(policy_.filters.latest); i < by_age.size(); ++i)
    images.erase(by_age[i].second);
  co_return Result<void>();
}

Task<Result<void>> Planner::compare(const Names& names, const std::string& tag, Digest digest, bool may_be_there) {
  auto open = gate_.check();
  if (!open) co_return open;
  if (!may_be_there) co_return co_await add_copy(names, tag, digest);
  auto parsed = Tag::parse(tag);
  if (!parsed) co_return parsed.error();
  const Reference reference(std::move(*parsed));
  auto there = co_await target_.resolve(names.second, reference);
  if (!there) co_return there.error();
  if (!*there) co_return co_await add_copy(names, tag, digest);
  if (**there != digest) {
    if (!policy_.overwrite) co_return Result<void>();
    co_return co_await add_copy(names, tag, digest);
  }
  auto same = co_await same_referrers(names, digest, 0);
  if (!same) co_return same.error();
  if (*same) co_return Result<void>();
  co_return co_await add_copy(names, tag, digest);
}

/// Whether all that refers to an image, or to one that it lists, is at the target. What is there and not at the source
/// is to go, where the policy deletes.
Task<Result<bool>> Planner::same_referrers(const Names& names, Digest digest, std::size_t depth) {
  auto here = co_await source_.referrers(names.first, digest);
  if (!here) co_return here.error();
  bool same = true;
  if (!here->empty() || policy_.deletions) {
    auto there = co_await target_.referrers(names.second, digest);
    if (!there) co_return there.error();
    const std::set<Digest> at_source(here->begin(), here->end());
    const std::set<Digest> at_target(there->begin(), there->end());
    same = std::ranges::includes(at_target, at_source);
    if (policy_.deletions)
      for (const Digest& each : at_target)
        if (!at_source.contains(each)) add_deletion(TaskKind::kDeleteManifest, names, "", each.to_string());
  }
  if (depth == kMaxDepth) co_return same;
  const Reference reference(digest);
  const RepositoryName& near_name = &near_ == static_cast<Side*>(&source_) ? names.first : names.second;
  auto stored = co_await near_.manifest(near_name, reference);
  if (!stored && stored.error().kind() == ErrorKind::kManifestUnknown) co_return same;
  if (!stored) co_return stored.error();
  auto manifest = Manifest::parse(stored->bytes(), stored->media_type());
  if (!manifest) co_return same;
  for (const Digest& child : manifest->manifest_children()) {
    auto child_same = co_await same_referrers(names, child, depth + 1);
    if (!child_same) co_return child_same;
    same = same && *child_same;
  }
  co_return same;
}

/// What no tag brings along goes by itself.
Task<Result<void>> Planner::untagged(const Names& names) {
  auto wanted = co_await source_.manifests(names.first, Side::Which::kUntagged);
  if (!wanted) co_return wanted.error();
  if (!*wanted || (*wanted)->empty()) co_return Result<void>();
  auto listed = co_await target_.manifests(names.second, Side::Which::kAll);
  if (!listed) co_return listed.error();
  for (const Digest& digest : **wanted) {
    bool is_there = *listed && (*listed)->contains(digest);
    if (!*listed) {
      const Reference reference(digest);
      auto found = co_await target_.resolve(names.second, reference);
      if (!found) co_return found.error();
      is_there = found->has_value();
    }
    if (is_there) continue;
    auto added = co_await add_copy(names, "", digest);
    if (!added) co_return added;
  }
  co_return Result<void>();
}

Task<Result<void>> Planner::add_copy(const Names& names, const std::string& tag, Digest digest) {
  TaskRecord task;
  task.kind = TaskKind::kCopy;
  task.repository = names.first.text();
  task.target = names.second.text();
  task.tag = tag;
  task.digest = digest.to_string();
  Task<Result<void>> adding = sink_(std::move(task));
  co_return co_await std::move(adding);
}

}  // namespace wherry::replication
