// The part of Planner that looks at what the feed names alone.
#include <algorithm>

#include "common/async/some_at_a_time.h"
#include "master/replication/planner.h"

namespace wherry::replication {

/// Whether what was touched says by itself which images are meant. Which are the latest, and whose a signature is that
/// is kept as a tag, only the whole repository tells.
bool Planner::are_tags_enough(const Touched& what) const {
  if (what.is_too_much() || policy_.filters.latest > 0) return false;
  return std::ranges::all_of(what.tags, [&](const auto& tag) { return wants_tag(tag) || !tag.starts_with("sha256-"); });
}

Task<Result<void>> Planner::touched(const Names& names, const Touched& what) {
  if (!are_tags_enough(what)) co_return co_await repository(names);
  for (const Digest& digest : what.manifests) {
    auto told = co_await touched_manifest(names, digest);
    if (!told) co_return told.error();
    if (!*told) co_return co_await repository(names);
  }
  const std::vector<std::string> tags(what.tags.begin(), what.tags.end());
  const NumberedWork look_at_one = [&](std::size_t i) { return touched_tag(names, tags[i]); };
  co_return co_await for_each_below(tags.size(), policy_.concurrent, look_at_one);
}

Task<Result<void>> Planner::touched_tag(const Names& names, const std::string& tag) {
  if (!wants_tag(tag)) co_return Result<void>();
  std::map<std::string, Digest> images;
  auto looked = co_await look_at(names, tag, images);
  if (!looked) co_return looked;
  if (!images.empty()) co_return co_await compare(names, tag, images.begin()->second, true);
  if (!policy_.deletions) co_return Result<void>();
  auto still = co_await resolve_tag(names.first, tag);
  if (!still) co_return still.error();
  auto parsed = Tag::parse(tag);
  if (!parsed) co_return Result<void>();
  const Reference reference(std::move(*parsed));
  auto there = co_await target_.resolve(names.second, reference);
  if (!there) co_return there.error();
  if (*still || !*there) co_return Result<void>();
  const std::vector<std::string> superfluous{tag};
  const std::set<std::string> none;
  co_return co_await superfluous_tags(names, none, superfluous);
}

/// A manifest that came: what refers to an image goes with it, what nothing leads to goes by itself; all else goes with
/// its tag. False when only the whole repository tells whether it is wanted.
Task<Result<bool>> Planner::touched_manifest(const Names& names, Digest digest) {
  const Reference reference(digest);
  auto stored = co_await source_.manifest(names.first, reference);
  if (!stored && stored.error().kind() == ErrorKind::kManifestUnknown) co_return true;
  if (!stored) co_return stored.error();
  auto manifest = Manifest::parse(stored->bytes(), stored->media_type());
  if (!manifest) co_return true;
  const bool refers = manifest->subject().has_value();
  if (refers && !wants_all_manifests()) co_return false;
  if (!refers) {
    if (!wants_all_manifests()) co_return true;
    auto by_itself = co_await source_.is_untagged(names.first, digest);
    if (!by_itself) co_return by_itself.error();
    if (!*by_itself) co_return true;
  }
  Digest wanted = digest;
  if (refers) {
    const Reference subject(manifest->subject()->digest);
    auto has_subject = co_await source_.resolve(names.first, subject);
    if (!has_subject) co_return has_subject.error();
    if (*has_subject) wanted = **has_subject;
  }
  auto there = co_await target_.resolve(names.second, reference);
  if (!there) co_return there.error();
  if (*there) co_return true;
  auto added = co_await add_copy(names, "", wanted);
  if (!added) co_return added.error();
  co_return true;
}

}  // namespace wherry::replication
