#include "node/eviction/ledger.h"

#include <algorithm>

#include "common/base/check.h"

namespace wherry::node {

using State = Blob::State;

bool Ledger::is_pinned(const Blob& blob) const {
  if (blob.pinned) return true;
  const auto keepers = keepers_.find(blob.digest);
  return keepers != keepers_.end() && keepers->second.pinned > 0;
}

bool Ledger::is_idle(const Blob& blob) const {
  return blob.state == State::kHeld && blob.readers == 0 && !is_pinned(blob);
}

std::shared_ptr<Blob> Ledger::find(const Digest& digest) const {
  const auto found = blobs_.find(digest);
  return found == blobs_.end() ? nullptr : found->second;
}

void Ledger::add_reader(Blob& blob) {
  change(blob, [&] { ++blob.readers; });
}

void Ledger::end_reader(Blob& blob) {
  change(blob, [&] { --blob.readers; });
}

void Ledger::hit(const Blob& blob) { policy_of(blob).hit(blob.digest); }

void Ledger::join(Blob& blob) {
  if (blob.joined++ > 0) hit(blob);  // while it is not held yet, filled() makes up for it
}

std::shared_ptr<Blob> Ledger::begin_fill(const Digest& digest, std::uint64_t charge, bool pinned) {
  auto blob = std::make_shared<Blob>(digest, 0);
  blob->pinned = pinned;
  WHERRY_CHECK(blobs_.emplace(digest, blob).second);
  change(*blob, [&] {
    blob->charged_bytes = charge;
    blob->readers = 1;
  });
  return blob;
}

void Ledger::grow(Blob& blob, std::uint64_t charge) {
  change(blob, [&] { blob.charged_bytes = charge; });
}

void Ledger::written(Blob& blob, std::uint64_t bytes) {
  change(blob, [&] { blob.written_bytes = bytes; });
}

void Ledger::filled(Blob& blob, std::uint64_t charge) {
  change(blob, [&] {
    blob.charged_bytes = charge;
    blob.state = State::kHeld;
  });
  settle(blob, std::nullopt);
  for (std::uint32_t hits = 1; hits < blob.joined && hits <= EvictionPolicy::kMaxHits; ++hits) hit(blob);
}

void Ledger::found(const Digest& digest, std::uint64_t charge, bool pinned,
                   std::optional<EvictionPolicy::Place> place) {
  if (blobs_.contains(digest)) return;
  const auto blob = begin_fill(digest, charge, pinned);
  change(*blob, [&] {
    blob->state = State::kHeld;
    blob->readers = 0;
  });
  settle(*blob, place);
}

/// Puts a held blob where it belongs: with the loose ones unless an image keeps it or a pattern pins it.
void Ledger::settle(Blob& blob, std::optional<EvictionPolicy::Place> place) {
  if (blob.state != State::kHeld || blob.pinned || is_kept(blob.digest)) return;
  if (place)
    policy_of(blob).restore(blob.digest, blob.charged_bytes, *place);
  else
    policy_of(blob).insert(blob.digest, blob.charged_bytes);
}

void Ledger::drop(Blob& blob) {
  const auto found = blobs_.find(blob.digest);
  if (found == blobs_.end() || found->second.get() != &blob) return;
  const std::shared_ptr<Blob> alive = found->second;
  change(blob, [&] { blob.state = State::kGone; });
  policy_of(blob).remove(blob.digest);
  blobs_.erase(found);
}

void Ledger::stays(Blob& blob) {
  change(blob, [&] { blob.state = State::kHeld; });
  settle(blob, EvictionPolicy::Place{true, 0});
}

std::vector<std::shared_ptr<Blob>> Ledger::choose(std::uint64_t bytes, std::size_t most, WallTime now) {
  expire(now);
  std::vector<std::shared_ptr<Blob>> chosen;
  std::uint64_t sum = 0;
  while (sum < bytes && chosen.size() < most) {
    auto blob = next_to_go();
    if (blob == nullptr) break;
    sum += blob->charged_bytes;
    change(*blob, [&] {
      blob->state = State::kLeaving;
      blob->doomed = false;
    });
    chosen.push_back(std::move(blob));
  }
  return chosen;
}

std::shared_ptr<Blob> Ledger::next_to_go() {
  const auto may_go = [this](const Digest& digest) {
    const auto blob = find(digest);
    return blob != nullptr && is_idle(*blob);
  };
  std::optional<Digest> next;
  if (small_.bytes() > max_bytes_ / kSmallShare || small_.size() > kMaxSmallBlobs) next = small_.evict(may_go);
  while (!next) {
    if (auto doomed = next_doomed()) return doomed;
    next = loose_.evict(may_go);
    if (!next && !give_up_an_image()) break;
  }
  if (!next) next = small_.evict(may_go);
  return next ? find(*next) : nullptr;
}

/// The next blob of an image that was given up, unless it found another use meanwhile.
std::shared_ptr<Blob> Ledger::next_doomed() {
  while (!doomed_.empty()) {
    auto blob = find(doomed_.front());
    doomed_.pop_front();
    if (blob == nullptr || !blob->doomed) continue;
    blob->doomed = false;
    if (is_idle(*blob) && !is_kept(blob->digest)) return blob;
    settle(*blob, EvictionPolicy::Place{});
  }
  return nullptr;
}

void Ledger::for_each_blob(const VisitBlob& visit) const {
  small_.for_each(visit);
  loose_.for_each(visit);
}

}  // namespace wherry::node
