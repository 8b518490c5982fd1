// Publisher: the newest segments of the feed, on every loop, for all streams that send them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "common/async/event.h"
#include "common/async/per_loop.h"
#include "common/feed/segment.h"

namespace wherry::feed {

/// The newest segments as one loop has them. What is older a stream reads out of the log.
class Ring {
 public:
  static constexpr std::size_t kMostSegments = 1024;
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;

  /// A stream's place: how far it has come, and the number of the segment that it sent last (0: none of them).
  struct Place {
    std::uint64_t position = 0;
    std::uint64_t serial = 0;
  };
  enum class Next { kSegment, kWait, kLog };

  void add(std::shared_ptr<const Segment> segment);
  /// What a stream at `place` does next: sends `segment`, waits for changed(), or reads the log.
  Next next(Place& place, std::shared_ptr<const Segment>& segment) const;
  /// The newest; null before the first.
  std::shared_ptr<const Segment> newest() const { return segments_.empty() ? nullptr : segments_.back(); }
  Event& changed() { return changed_; }
  /// Streams are to end.
  void end() {
    ended_ = true;
    changed_.set();
  }
  bool ended() const { return ended_; }

 private:
  std::deque<std::shared_ptr<const Segment>> segments_;
  std::uint64_t first_serial_ = 1;
  std::size_t bytes_ = 0;
  bool ended_ = false;
  Event changed_;
};

/// Hands each segment to all loops. At home on one loop; streams read their own loop's ring.
class Publisher {
 public:
  explicit Publisher(const std::vector<Loop*>& loops) : rings_(loops) {}

  /// On the home loop: segments follow each other. A message to each loop, whatever the number of streams.
  void publish(const std::shared_ptr<const Segment>& segment);
  /// The current loop's.
  Ring& ring() { return rings_.here(); }
  /// Makes all streams end: each has still sent what it was sending.
  void end();

 private:
  PerLoop<Ring> rings_;
};

}  // namespace wherry::feed
