// The part of the ledger that keeps images whole.
#include <algorithm>

#include "node/eviction/ledger.h"

namespace wherry::node {

Digest Ledger::key_of(const RepositoryName& repository, const Digest& digest) {
  return Digest::of(DigestAlgorithm::kSha256, repository.text() + '\0' + digest.binary());
}

void Ledger::learn(const RepositoryName& repository, const Digest& digest, ManifestFacts facts) {
  const Digest key = key_of(repository, digest);
  if (images_.contains(key)) return;
  manifest_bytes_ += facts.manifest_bytes;
  recent_.push_front(key);
  Image image{repository, digest, std::move(facts), {}, false, false, false, false, recent_.begin(), kept_.end()};
  if (const auto expected = expected_children_.find(key); expected != expected_children_.end()) {
    image.tagged = true;
    image.pinned = expected->second;
    expected_children_.erase(expected);
  }
  images_.emplace(key, std::move(image));
}

bool Ledger::asked(const RepositoryName& repository, const Digest& digest, bool by_tag, bool pinned, WallTime now) {
  const Digest key = key_of(repository, digest);
  const auto found = images_.find(key);
  if (found == images_.end()) return false;
  Image& image = found->second;
  const bool same_pull = now - image.asked_at < kOnePull;
  image.asked_at = now;
  recent_.splice(recent_.begin(), recent_, image.place);
  const bool news = (by_tag && !image.tagged) || (pinned && !image.pinned);
  image.tagged = image.tagged || by_tag;
  image.pinned = image.pinned || pinned;
  if (!image.facts.children.empty() && image.tagged && (news || !same_pull)) mark_children(image, image.pinned);
  const bool was_kept = image.kept;
  if (was_kept && !image.kept_pinned) kept_.splice(kept_.begin(), kept_, image.kept_place);
  update(key, image, now);
  if (was_kept && !same_pull) whole_.hit(key);
  return true;
}

/// What an index names belongs to its tag; a child that is not here yet will when it comes.
void Ledger::mark_children(const Image& index, bool pinned) {
  for (const Digest& digest : index.facts.children) {
    const Digest key = key_of(index.repository, digest);
    const auto child = images_.find(key);
    if (child != images_.end()) {
      child->second.tagged = true;
      child->second.pinned = child->second.pinned || pinned;
      update(key, child->second, index.asked_at);
    } else {
      if (expected_children_.size() >= kMaxExpectedChildren) expected_children_.clear();
      expected_children_[key] |= pinned;
    }
  }
}

void Ledger::tag(const RepositoryName& repository, const Digest& digest, bool pinned) {
  const Digest key = key_of(repository, digest);
  const auto found = images_.find(key);
  if (found == images_.end()) return;
  Image& image = found->second;
  image.tagged = true;
  image.pinned = image.pinned || pinned;
  mark_children(image, image.pinned);
  update(key, image, image.asked_at);
}

void Ledger::untag(const RepositoryName& repository, const Digest& digest) {
  const auto found = images_.find(key_of(repository, digest));
  if (found == images_.end()) return;
  const auto forget = [this](Image& image) {
    image.tagged = false;
    image.pinned = false;
    if (image.kept) release(image, false);
  };
  forget(found->second);
  for (const Digest& child : found->second.facts.children) {
    const Digest key = key_of(repository, child);
    expected_children_.erase(key);
    if (const auto known = images_.find(key); known != images_.end()) forget(known->second);
  }
}

void Ledger::recall(const Digest& key, EvictionPolicy::Place place, WallTime asked_at) {
  const auto found = images_.find(key);
  if (found == images_.end()) return;
  Image& image = found->second;
  image.asked_at = asked_at;
  recent_.splice(recent_.begin(), recent_, image.place);
  if (!image.kept || image.kept_pinned) return;
  kept_.splice(kept_.begin(), kept_, image.kept_place);
  whole_.remove(key);
  whole_.restore(key, image.facts.blob_bytes, place);
}

/// Keeps an image together from now on if it deserves that, or no longer.
void Ledger::update(const Digest& key, Image& image, WallTime now) {
  const bool wanted = image.pinned || (image.tagged && now - image.asked_at <= whole_image_time_);
  const bool keeps = wanted && !image.facts.blobs.empty();
  if (image.kept && (!keeps || image.kept_pinned != image.pinned)) release(image, false);
  if (keeps && !image.kept) keep(key, image);
}

void Ledger::keep(const Digest& key, Image& image) {
  image.kept = true;
  image.kept_pinned = image.pinned;
  if (!image.pinned) {
    image.kept_place = kept_.insert(kept_.begin(), key);
    whole_.insert(key, image.facts.blob_bytes);
  }
  for (const Digest& digest : image.facts.blobs) {
    const auto blob = find(digest);
    const auto count = [&] {
      Keepers& keepers = keepers_[digest];
      ++keepers.images;
      keepers.pinned += image.kept_pinned ? 1 : 0;
    };
    if (blob == nullptr) {
      count();
      continue;
    }
    change(*blob, count);
    blob->doomed = false;
    policy_of(*blob).remove(digest);
  }
}

/// Lets go of its blobs: those that no other image needs are loose again, or doomed.
void Ledger::release(Image& image, bool doom) {
  image.kept = false;
  if (!image.kept_pinned) {
    whole_.remove(*image.kept_place);
    kept_.erase(image.kept_place);
  }
  for (const Digest& digest : image.facts.blobs) {
    const auto blob = find(digest);
    const auto count = [&] {
      const auto keepers = keepers_.find(digest);
      keepers->second.pinned -= image.kept_pinned ? 1 : 0;
      if (--keepers->second.images == 0) keepers_.erase(keepers);
    };
    if (blob == nullptr) {
      count();
      continue;
    }
    change(*blob, count);
    if (is_kept(digest) || blob->state != Blob::State::kHeld || blob->pinned) continue;
    const bool small = &policy_of(*blob) == &small_;
    if (doom && !small) {
      blob->doomed = true;
      doomed_.push_back(digest);
    } else {
      settle(*blob, EvictionPolicy::Place{true, 0});
    }
  }
}

/// Images of which nobody asked for long enough are not kept together any more.
void Ledger::expire(WallTime now) {
  while (!kept_.empty()) {
    Image& oldest = images_.at(kept_.back());
    if (now - oldest.asked_at <= whole_image_time_) return;
    release(oldest, false);
  }
}

bool Ledger::may_give_up(const Image& image, bool whole) const {
  bool gives = false;
  for (const Digest& digest : image.facts.blobs) {
    const auto blob = find(digest);
    if (blob == nullptr || blob->state != Blob::State::kHeld) continue;
    if (keepers_.at(digest).images > 1 || blob->charged_bytes <= disk_bytes(kSmallBlobBytes)) continue;
    if (is_idle(*blob))
      gives = true;
    else if (whole)
      return false;
  }
  return gives;
}

/// Lets go of the image that is missed least: one that nobody reads if there is one, whole then. False when that makes
/// no room.
bool Ledger::give_up_an_image() {
  for (const bool whole : {true, false}) {
    const auto key = whole_.evict([&](const Digest& which) { return may_give_up(images_.at(which), whole); });
    if (!key) continue;
    release(images_.at(*key), true);
    return true;
  }
  return false;
}

std::vector<std::pair<RepositoryName, Digest>> Ledger::forget_manifests(std::size_t most) {
  std::vector<std::pair<RepositoryName, Digest>> forgotten;
  auto next = recent_.end();
  while (too_many_manifests() && next != recent_.begin() && forgotten.size() < most) {
    --next;
    const auto found = images_.find(*next);
    Image& image = found->second;
    if (image.pinned) continue;
    if (image.kept) release(image, false);
    manifest_bytes_ -= image.facts.manifest_bytes;
    forgotten.emplace_back(image.repository, image.digest);
    images_.erase(found);
    next = recent_.erase(next);
  }
  return forgotten;
}

void Ledger::for_each_manifest(const VisitManifest& visit) const {
  std::unordered_map<Digest, EvictionPolicy::Place> places;
  whole_.for_each([&](const Digest& key, EvictionPolicy::Place place) { places[key] = place; });
  for (auto key = recent_.rbegin(); key != recent_.rend(); ++key) {
    const auto place = places.find(*key);
    visit(*key, place == places.end() ? EvictionPolicy::Place{} : place->second, images_.at(*key).asked_at);
  }
}

}  // namespace wherry::node
