#include "common/feed/publisher.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/run_task.h"

namespace wherry::feed {
namespace {

/// Segments of a log that grows by so many entries at a time.
class RingTest : public ::testing::Test {
 protected:
  std::shared_ptr<const Segment> grow(std::size_t count) {
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < count; ++i) entries.emplace_back(++head.position, Hash{}, Hash{});
    return Segment::make(entries, SignedHead{head, {}, 0, std::string(64, 's')});
  }
  /// What a stream that is at `place` gets: the positions at which its segments end; stops where it has to wait.
  std::string read(Ring::Place& place) {
    std::string got;
    while (true) {
      std::shared_ptr<const Segment> segment;
      const Ring::Next next = ring.next(place, segment);
      if (next == Ring::Next::kWait) return got;
      if (next == Ring::Next::kLog) return got + " log";
      got += " " + std::to_string(segment->to());
    }
  }

  Head head;
  Ring ring;
};

TEST_F(RingTest, AStreamGetsEachSegmentOnceHeartbeatsToo) {
  ring.add(grow(0));
  ring.add(grow(2));
  Ring::Place place{0, 0};
  EXPECT_EQ(read(place), " 2");
  ring.add(grow(0));
  ring.add(grow(3));
  EXPECT_EQ(read(place), " 2 5");
  EXPECT_EQ(read(place), "");
}

TEST_F(RingTest, AStreamThatIsInTheMiddleOfASegmentReadsTheLogFirst) {
  ring.add(grow(4));
  ring.add(grow(4));
  Ring::Place place{2, 0};
  EXPECT_EQ(read(place), " log");
  place.position = 4;
  EXPECT_EQ(read(place), " 8");
}

TEST_F(RingTest, AStreamThatIsTooSlowReadsTheLog) {
  ring.add(grow(1));
  Ring::Place place{0, 0};
  EXPECT_EQ(read(place), " 1");
  for (std::size_t i = 0; i < Ring::kMostSegments + 10; ++i) ring.add(grow(1));
  EXPECT_EQ(read(place), " log");
  place.position = head.position;
  EXPECT_EQ(read(place), "");
  ring.add(grow(1));
  EXPECT_EQ(read(place), " " + std::to_string(head.position));
}

TEST_F(RingTest, AStreamThatIsAheadWaits) {
  ring.add(grow(1));
  Ring::Place place{3, 0};
  EXPECT_EQ(read(place), "");
  ring.add(grow(2));
  EXPECT_EQ(read(place), "");
  ring.add(grow(1));
  EXPECT_EQ(read(place), " 4");
}

TEST_F(RingTest, NothingOfAnotherHistoryIsSent) {
  for (int i = 0; i < 5; ++i) ring.add(grow(2));
  head.position = 4;
  ring.add(grow(0));  // a snapshot of a new epoch, at a position below
  Ring::Place place{4, 0};
  EXPECT_EQ(read(place), "");
  ring.add(grow(3));
  EXPECT_EQ(read(place), " 7");
}

}  // namespace
}  // namespace wherry::feed
