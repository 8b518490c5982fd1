// Change: one entry of the feed, in the form that nodes read and the chain covers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/oci/digest.h"

namespace wherry::feed {

/// What happened. The numbers are stored and sent: never reuse one.
enum class ChangeKind : std::uint8_t {
  kRepositoryCreated = 1,
  kRepositoryRemoved = 2,
  kManifestPut = 3,      ///< digest
  kManifestDeleted = 4,  ///< digest
  kTagSet = 5,           ///< tag, digest
  kTagRemoved = 6,       ///< tag
  kBlobAdded = 7,        ///< digest
  kKeyAnnounced = 8,     ///< payload: the key that signs from here on (KeyRecord); of no repository
  kPolicySet = 9,        ///< tag: its name; payload: JSON; of no repository
  kPolicyRemoved = 10,   ///< tag: its name; of no repository
  kProjectSet = 11,      ///< repository: the project's name; payload: JSON: who may do what in it
  kProjectRemoved = 12,  ///< repository: the project's name
};

/// Something that happened, at a position of the feed. Position, epoch and salt are given when it is appended. The salt
/// is random: who may not see an entry gets its hash, and cannot find out what it says by trying.
class Change {
 public:
  static constexpr std::size_t kMaxRepositoryBytes = 255;
  static constexpr std::size_t kMaxTagBytes = 128;
  static constexpr std::size_t kMaxPayloadBytes = 64 * 1024;
  static constexpr std::size_t kMaxEncodedBytes = kMaxPayloadBytes + 1024;
  using Salt = std::array<std::byte, 16>;

  static Change repository_created(std::string repository, WallTime time);
  static Change repository_removed(std::string repository, WallTime time);
  static Change manifest_put(std::string repository, Digest digest, WallTime time);
  static Change manifest_deleted(std::string repository, Digest digest, WallTime time);
  static Change tag_set(std::string repository, std::string tag, Digest digest, WallTime time);
  static Change tag_removed(std::string repository, std::string tag, WallTime time);
  static Change blob_added(std::string repository, Digest digest, WallTime time);
  static Change key_announced(std::string record, WallTime time);
  static Change policy_set(std::string name, std::string json, WallTime time);
  static Change policy_removed(std::string name, WallTime time);
  static Change project_set(std::string project, std::string json, WallTime time);
  static Change project_removed(std::string project, WallTime time);

  std::uint64_t position() const { return position_; }
  std::uint64_t epoch() const { return epoch_; }
  ChangeKind kind() const { return kind_; }
  const std::string& repository() const { return repository_; }
  /// The repository's first path component; empty for what concerns none, which every follower sees.
  std::string_view project() const { return std::string_view(repository_).substr(0, repository_.find('/')); }
  const std::string& tag() const { return tag_; }
  const std::string& payload() const { return payload_; }
  const std::optional<Digest>& digest() const { return digest_; }
  WallTime time() const { return time_; }
  bool operator==(const Change&) const = default;

  /// The place of this change in the feed.
  void place(std::uint64_t position, std::uint64_t epoch, const Salt& salt) {
    position_ = position;
    epoch_ = epoch;
    salt_ = salt;
  }

  /// Version 1: kind, position, epoch, time, salt, and the texts with their lengths; big-endian. One form for one
  /// change.
  std::string encode() const;
  /// Strict: input may come from a hostile parent. Errors: kInvalid for anything that encode() does not write, for
  /// parts that the kind does not have or lacks, and for texts over their bounds (their grammar is the reader's to
  /// check).
  static Result<Change> decode(std::string_view encoded);

 private:
  Change(ChangeKind kind, std::string repository, WallTime time)
      : kind_(kind), repository_(std::move(repository)), time_(time) {}

  ChangeKind kind_;
  std::uint64_t position_ = 0;
  std::uint64_t epoch_ = 0;
  Salt salt_{};
  std::string repository_;
  std::string tag_;
  std::string payload_;
  std::optional<Digest> digest_;
  WallTime time_;
};

}  // namespace wherry::feed
