// Segment: a stretch of the feed in the form in which it is sent, shared by all streams that send it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/glob.h"
#include "common/feed/log.h"
#include "common/feed/record.h"
#include "common/feed/signature.h"

namespace wherry::feed {

/// Which projects a follower may see: patterns of their names. All that concerns no project is for everyone.
class Visibility {
 public:
  /// Sees everything.
  Visibility() = default;
  explicit Visibility(std::vector<std::string> projects) : all_(false), projects_(std::move(projects)) {}

  bool sees_all() const { return all_; }
  bool sees(std::string_view project) const;
  bool operator==(const Visibility&) const = default;

 private:
  bool all_ = true;
  std::vector<std::string> projects_;
};

/// The entries after `from` up to `to`, and the signed head that closes them. Immutable.
class Segment {
 public:
  /// `entries` follow each other; none: a heartbeat at the head's position.
  static std::shared_ptr<const Segment> make(const std::vector<Entry>& entries, const SignedHead& head);

  std::uint64_t from() const { return from_; }
  std::uint64_t to() const { return to_; }
  bool is_heartbeat() const { return from_ == to_; }
  const SignedHead& head() const { return head_; }
  /// All records, for who sees everything.
  const std::string& bytes() const { return bytes_; }
  /// The records for another follower: entries that it may not see as their hashes.
  std::string bytes_for(const Visibility& visibility) const;

 private:
  struct Piece {
    std::size_t offset;
    std::size_t size;
    std::string project;
    Hash hash;
    bool hidden;
  };

  std::uint64_t from_ = 0;
  std::uint64_t to_ = 0;
  SignedHead head_;
  std::string bytes_;
  std::size_t head_offset_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace wherry::feed
