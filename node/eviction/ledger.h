// Ledger: what a node holds and is about to hold, byte by byte, and what of it goes next. Pure: no I/O, no threads.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "node/eviction/eviction_policy.h"

namespace wherry::node {

/// What a blob of that size takes on a disk, rounded up: blocks of 4 KiB, and those that list them.
constexpr std::uint64_t disk_bytes(std::uint64_t size_bytes) {
  constexpr std::uint64_t kDiskBlock = 4096;
  constexpr std::uint64_t kListedByOneBlock = std::uint64_t{128} << 20;
  return (size_bytes + kDiskBlock - 1) / kDiskBlock * kDiskBlock + kDiskBlock * (1 + size_bytes / kListedByOneBlock);
}

/// A blob in the ledger. Only the ledger writes to it.
struct Blob {
  enum class State : std::uint8_t {
    kFilling,  ///< its bytes are promised, and some of them are written
    kHeld,     ///< there is a row and a file
    kLeaving,  ///< the row and the file are being removed
    kGone,     ///< no name leads to it any more; counted until its last reader has ended
  };
  Blob(const Digest& which, std::uint64_t charge) : digest(which), charged_bytes(charge) {}
  const Digest digest;
  std::uint64_t charged_bytes;
  std::uint64_t written_bytes = 0;  ///< of a fill
  std::uint32_t readers = 0;        ///< and the one who fills it
  std::uint32_t joined = 0;         ///< readers of the fill
  State state = State::kFilling;
  bool pinned = false;  ///< by the name of a repository
  bool doomed = false;  ///< of an image that was given up
};

/// What a manifest is, for the ledger.
struct ManifestFacts {
  std::uint64_t manifest_bytes = 0;
  std::uint64_t blob_bytes = 0;  ///< as it states them
  std::vector<Digest> blobs;
  std::vector<Digest> children;  ///< manifests that it lists
};

/// Bytes against a mark, and the order of leaving:
/// 1. small blobs (configs, signatures) beyond kSmallShare of the mark: up to there they are never in the way;
/// 2. blobs of no image that is kept together, by EvictionPolicy;
/// 3. images that are kept together, whole, by another EvictionPolicy over images: all its blobs that no other image
///    needs go before another image is begun.
/// Kept together is an image that has a tag (or is named by an index that has one) and was asked for within
/// `whole_image_time`. Never goes: what is being filled or read, and what a pattern pins.
/// Calls are O(1), amortised, or O(blobs of one image).
class Ledger {
 public:
  static constexpr std::uint64_t kSmallBlobBytes = 64 * 1024;
  static constexpr std::uint64_t kSmallShare = 32;        ///< 1/32 of the mark
  static constexpr std::size_t kMaxSmallBlobs = 262'144;  ///< and no more of them than this
  static constexpr std::size_t kMaxManifests = 65'536;    ///< beyond: those not asked for longest go
  static constexpr std::uint64_t kMaxManifestBytes = std::uint64_t{64} << 20;
  static constexpr std::size_t kMaxExpectedChildren =
      65'536;                                                 ///< of indexes, not asked for yet; all are forgotten then
  static constexpr std::chrono::milliseconds kOnePull{1000};  ///< asked for again so soon is the same pull

  /// `max_bytes`: the mark. Time is wall time, for it outlives the process.
  Ledger(std::uint64_t max_bytes, std::chrono::milliseconds whole_image_time)
      : max_bytes_(max_bytes), whole_image_time_(whole_image_time) {}

  std::uint64_t max_bytes() const { return max_bytes_; }
  /// All that counts: held, promised to fills, and gone but still read.
  std::uint64_t used_bytes() const { return used_bytes_; }
  /// Of that, what may go now.
  std::uint64_t idle_bytes() const { return idle_bytes_; }
  /// Promised to fills and not written yet.
  std::uint64_t unwritten_bytes() const { return unwritten_bytes_; }
  /// How much has to go before `more` bytes may be promised.
  std::uint64_t shortage(std::uint64_t more) const {
    return used_bytes_ + more > max_bytes_ ? used_bytes_ + more - max_bytes_ : 0;
  }

  /// The blob that this digest names now; null when there is none.
  std::shared_ptr<Blob> find(const Digest& digest) const;
  void add_reader(Blob& blob);
  void end_reader(Blob& blob);
  /// A read of what is held.
  void hit(const Blob& blob);
  /// A read of a fill: all but the first are hits.
  void join(Blob& blob);

  /// Promises `charge` bytes; the digest must not be there. The one who fills is its first reader.
  std::shared_ptr<Blob> begin_fill(const Digest& digest, std::uint64_t charge, bool pinned);
  void grow(Blob& blob, std::uint64_t charge);
  void written(Blob& blob, std::uint64_t bytes);
  /// The fill ended well with so many bytes charged.
  void filled(Blob& blob, std::uint64_t charge);
  /// What a start finds; `place` where it is known.
  void found(const Digest& digest, std::uint64_t charge, bool pinned, std::optional<EvictionPolicy::Place> place);
  /// It is gone (a failed fill, damage, after an eviction).
  void drop(Blob& blob);

  /// Chooses what goes so that `bytes` become free, at most `most` blobs; they are kLeaving then. Less when no more may
  /// go.
  std::vector<std::shared_ptr<Blob>> choose(std::uint64_t bytes, std::size_t most, WallTime now);
  /// It could not be removed after all.
  void stays(Blob& blob);

  /// A manifest of this repository was asked for. False when the ledger does not know it: then learn() and ask again.
  bool asked(const RepositoryName& repository, const Digest& digest, bool by_tag, bool pinned, WallTime now);
  void learn(const RepositoryName& repository, const Digest& digest, ManifestFacts facts);
  /// What a start knows of a manifest, once all were learned.
  void recall(const Digest& key, EvictionPolicy::Place place, WallTime asked_at);
  void tag(const RepositoryName& repository, const Digest& digest, bool pinned);
  void untag(const RepositoryName& repository, const Digest& digest);
  bool too_many_manifests() const { return images_.size() > kMaxManifests || manifest_bytes_ > kMaxManifestBytes; }
  /// The manifests that are too many, at most `most`, and forgets them.
  std::vector<std::pair<RepositoryName, Digest>> forget_manifests(std::size_t most);
  std::size_t manifests() const { return images_.size(); }
  /// Those too that are being filled or leave.
  std::size_t blobs() const { return blobs_.size(); }

  /// The order of all blobs, and of all manifests (by their key), for recall after a restart.
  using VisitBlob = std::function<void(const Digest&, EvictionPolicy::Place)>;
  using VisitManifest = std::function<void(const Digest& key, EvictionPolicy::Place, WallTime asked_at)>;
  void for_each_blob(const VisitBlob& visit) const;
  void for_each_manifest(const VisitManifest& visit) const;

 private:
  struct Image {
    RepositoryName repository;
    Digest digest;
    ManifestFacts facts;
    WallTime asked_at{};
    bool tagged = false;
    bool pinned = false;
    bool kept = false;  // counted in keepers_
    bool kept_pinned = false;
    std::list<Digest>::iterator place;       // in recent_
    std::list<Digest>::iterator kept_place;  // in kept_, when kept and not pinned
  };
  /// How many kept images need a blob, held or not.
  struct Keepers {
    std::uint32_t images = 0;
    std::uint32_t pinned = 0;
  };
  static Digest key_of(const RepositoryName& repository, const Digest& digest);

  bool is_pinned(const Blob& blob) const;
  bool is_kept(const Digest& digest) const { return keepers_.contains(digest); }
  bool is_idle(const Blob& blob) const;
  /// Changes a blob and keeps the sums right.
  template <class Change>
  void change(Blob& blob, Change apply);
  EvictionPolicy& policy_of(const Blob& blob) {
    return disk_bytes(kSmallBlobBytes) >= blob.charged_bytes ? small_ : loose_;
  }
  void settle(Blob& blob, std::optional<EvictionPolicy::Place> place);
  std::shared_ptr<Blob> next_to_go();
  std::shared_ptr<Blob> next_doomed();
  bool give_up_an_image();
  bool may_give_up(const Image& image, bool whole) const;
  void keep(const Digest& key, Image& image);
  void release(Image& image, bool doom);
  void update(const Digest& key, Image& image, WallTime now);
  void expire(WallTime now);
  void mark_children(const Image& index, bool pinned);

  const std::uint64_t max_bytes_;
  const std::chrono::milliseconds whole_image_time_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t idle_bytes_ = 0;
  std::uint64_t unwritten_bytes_ = 0;
  std::unordered_map<Digest, std::shared_ptr<Blob>> blobs_;
  EvictionPolicy small_;
  EvictionPolicy loose_;
  std::deque<Digest> doomed_;
  std::unordered_map<Digest, Image> images_;  // by key_of()
  std::list<Digest> recent_;                  // keys, the one asked for last in front
  std::list<Digest> kept_;                    // keys of kept images that no pattern pins, in the same order
  EvictionPolicy whole_;                      // images kept together, by key
  std::unordered_map<Digest, Keepers> keepers_;
  std::unordered_map<Digest, bool> expected_children_;  // by key -> pinned
  std::uint64_t manifest_bytes_ = 0;
};

template <class Change>
void Ledger::change(Blob& blob, Change apply) {
  const auto unwritten = [&] {
    return blob.state == Blob::State::kFilling ? blob.charged_bytes - std::min(blob.charged_bytes, blob.written_bytes)
                                               : 0;
  };
  const auto used = [&] { return blob.state != Blob::State::kGone || blob.readers > 0 ? blob.charged_bytes : 0; };
  if (is_idle(blob)) idle_bytes_ -= blob.charged_bytes;
  unwritten_bytes_ -= unwritten();
  used_bytes_ -= used();
  apply();
  if (is_idle(blob)) idle_bytes_ += blob.charged_bytes;
  unwritten_bytes_ += unwritten();
  used_bytes_ += used();
}

}  // namespace wherry::node
