#include "common/async/deadline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "common/base/check.h"

namespace wherry {
namespace {

using std::chrono::milliseconds;

/// A wheel on a loop whose time the test turns itself: the loop never runs, so nothing else does.
class TurnedWheel {
 public:
  explicit TurnedWheel(std::uint64_t start) {
    WHERRY_CHECK(uv_loop_init(&loop_) == 0);
    loop_.time = start;
    wheel_.emplace(&loop_);
  }
  ~TurnedWheel() {
    wheel_->close();
    uv_run(&loop_, UV_RUN_DEFAULT);
    wheel_.reset();
    WHERRY_CHECK(uv_loop_close(&loop_) == 0);
  }
  DeadlineWheel& wheel() { return *wheel_; }
  std::uint64_t now() const { return loop_.time; }
  /// Lets time pass without a turn, as a loop does that is busy.
  void pass(std::uint64_t millis) { loop_.time += millis; }
  /// The timer's callback, as libuv calls it.
  void turn() {
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void*) {
          if (handle->type != UV_TIMER || uv_is_active(handle) == 0) return;
          auto* timer = reinterpret_cast<uv_timer_t*>(handle);
          timer->timer_cb(timer);
        },
        nullptr);
  }
  bool timer_runs() {
    bool runs = false;
    uv_walk(
        &loop_,
        [](uv_handle_t* handle, void* found) {
          if (handle->type == UV_TIMER && uv_is_active(handle) != 0) *static_cast<bool*>(found) = true;
        },
        &runs);
    return runs;
  }
  void turn_after(std::uint64_t millis) {
    pass(millis);
    turn();
  }

 private:
  uv_loop_t loop_{};
  std::optional<DeadlineWheel> wheel_;
};

constexpr std::uint64_t kTick = static_cast<std::uint64_t>(DeadlineWheel::kTick.count());

/// A deadline that notes when it came.
struct Noted {
  explicit Noted(TurnedWheel& on) : time(on) {}
  TurnedWheel& time;
  std::vector<std::uint64_t> came;
  Deadline deadline{[](void* self) {
                      auto* noted = static_cast<Noted*>(self);
                      noted->came.push_back(noted->time.now());
                    },
                    this};
};

TEST(Deadline, IsNeverEarlyAndAtMostTwoTicksLate) {
  for (const std::uint64_t start : {std::uint64_t{0}, std::uint64_t{249}, std::uint64_t{123'456'789}})
    for (const std::uint64_t phase : {0u, 1u, 125u, 249u})
      for (const std::uint64_t after : {0u, 1u, 249u, 250u, 251u, 1000u, 15'000u, 75'000u}) {
        TurnedWheel time(start);
        time.turn_after(kTick);
        time.pass(phase);
        Noted noted(time);
        const std::uint64_t armed_at = time.now();
        noted.deadline.arm(time.wheel(), milliseconds(after));
        time.turn_after(kTick - phase);
        for (std::uint64_t passed = 0; passed < after + 4 * kTick; passed += kTick) time.turn_after(kTick);
        ASSERT_EQ(noted.came.size(), 1u) << after;
        EXPECT_GE(noted.came[0], armed_at + after);
        EXPECT_LE(noted.came[0], armed_at + after + 2 * kTick) << start << " " << phase << " " << after;
        EXPECT_FALSE(noted.deadline.armed());
      }
}

TEST(Deadline, TheTimerRestsWhileNothingIsArmed) {
  TurnedWheel time(1000);
  EXPECT_FALSE(time.timer_runs());
  Noted noted(time);
  for (int round = 0; round < 3; ++round) {
    time.turn_after(100 * kTick + 77);  // as long as nobody needs it, nobody turns it
    const std::uint64_t armed_at = time.now();
    noted.deadline.arm(time.wheel(), milliseconds(1000));
    EXPECT_TRUE(time.timer_runs());
    while (noted.came.empty()) {
      EXPECT_TRUE(time.timer_runs());
      time.turn_after(kTick);
    }
    EXPECT_GE(noted.came[0], armed_at + 1000);
    EXPECT_LE(noted.came[0], armed_at + 1000 + 2 * kTick);
    noted.came.clear();
    EXPECT_FALSE(time.timer_runs());
  }
  noted.deadline.arm(time.wheel(), milliseconds(1000));
  noted.deadline.disarm();
  time.turn_after(kTick);
  EXPECT_FALSE(time.timer_runs());
}

TEST(Deadline, FurtherAwayThanTheWheelIsLongComesInItsOwnTime) {
  // 512 slots of 250 ms are 128 s.
  for (const std::uint64_t after : {127'750u, 128'000u, 128'250u, 256'000u, 900'000u, 3'600'000u}) {
    TurnedWheel time(1000);
    Noted noted(time);
    noted.deadline.arm(time.wheel(), milliseconds(after));
    while (time.now() < 1000 + after + 3 * kTick) time.turn_after(kTick);
    ASSERT_EQ(noted.came.size(), 1u) << after;
    EXPECT_GE(noted.came[0], 1000u + after);
    EXPECT_LE(noted.came[0], 1000u + after + 2 * kTick);
  }
}

TEST(Deadline, AllThatPassedWhileTheLoopWasStuckComeInOneTurn) {
  TurnedWheel time(5000);
  std::vector<std::unique_ptr<Noted>> deadlines;
  for (const int seconds : {1, 10, 100, 127, 129, 300, 900}) {
    deadlines.push_back(std::make_unique<Noted>(time));
    deadlines.back()->deadline.arm(time.wheel(), std::chrono::seconds(seconds));
  }
  time.turn_after(400'000);  // longer than the wheel is round
  for (std::size_t i = 0; i < deadlines.size(); ++i) EXPECT_EQ(deadlines[i]->came.size(), i < 6 ? 1u : 0u) << i;
  time.turn_after(600'000);
  EXPECT_EQ(deadlines.back()->came.size(), 1u);
}

TEST(Deadline, ArmingAgainMovesItAndDisarmingOrDroppingEndsIt) {
  TurnedWheel time(0);
  Noted moved(time);
  Noted disarmed(time);
  moved.deadline.arm(time.wheel(), milliseconds(1000));
  disarmed.deadline.arm(time.wheel(), milliseconds(1000));
  {
    Noted dropped(time);
    dropped.deadline.arm(time.wheel(), milliseconds(1000));
  }
  moved.deadline.arm(time.wheel(), milliseconds(5000));
  disarmed.deadline.disarm();
  disarmed.deadline.disarm();
  for (int i = 0; i < 16; ++i) time.turn_after(kTick);
  EXPECT_TRUE(moved.came.empty());
  for (int i = 0; i < 16; ++i) time.turn_after(kTick);
  EXPECT_EQ(moved.came.size(), 1u);
  EXPECT_TRUE(disarmed.came.empty());
}

/// A deadline whose callback does to others what a callback may do.
struct Meddler {
  TurnedWheel& time;
  std::vector<Noted*> to_disarm;
  Noted* to_arm = nullptr;
  std::uint64_t arm_after = 0;
  int came = 0;
  Deadline deadline{[](void* self) {
                      auto* meddler = static_cast<Meddler*>(self);
                      ++meddler->came;
                      for (Noted* noted : meddler->to_disarm) noted->deadline.disarm();
                      if (meddler->to_arm != nullptr)
                        meddler->to_arm->deadline.arm(meddler->time.wheel(), milliseconds(meddler->arm_after));
                    },
                    this};
};

TEST(Deadline, ACallbackMayDisarmAndArmOthersOfItsOwnSlotOrAny) {
  for (const bool meddler_last : {false, true}) {
    TurnedWheel time(0);
    Noted first(time);
    Noted second(time);
    Noted rearmed(time);
    Meddler meddler{time, {&first, &second}, &rearmed, 128'000, 0};
    if (!meddler_last) meddler.deadline.arm(time.wheel(), milliseconds(500));
    for (Noted* noted : {&first, &second, &rearmed}) noted->deadline.arm(time.wheel(), milliseconds(500));
    if (meddler_last) meddler.deadline.arm(time.wheel(), milliseconds(500));
    for (int i = 0; i < 8; ++i) time.turn_after(kTick);
    EXPECT_EQ(meddler.came, 1);
    // Those that came before the meddler came; what it disarmed never came after it.
    EXPECT_EQ(first.came.size(), second.came.size());
    const std::size_t before = rearmed.came.size();
    EXPECT_TRUE(rearmed.deadline.armed() || before > 0);
    for (int i = 0; i < 520; ++i) time.turn_after(kTick);
    EXPECT_FALSE(rearmed.deadline.armed());
    EXPECT_EQ(first.came.size(), second.came.size());
  }
}

struct Again {
  TurnedWheel& time;
  int came = 0;
  Deadline deadline{[](void* self) {
                      auto* again = static_cast<Again*>(self);
                      ++again->came;
                      again->deadline.arm(again->time.wheel(), milliseconds(0));
                    },
                    this};
};

TEST(Deadline, ArmingItselfForAtOnceComesInTheNextTurnNotInThisOne) {
  TurnedWheel time(0);
  Again again{time};
  again.deadline.arm(time.wheel(), milliseconds(0));
  for (int turns = 1; turns <= 10; ++turns) {
    time.turn_after(kTick);
    EXPECT_EQ(again.came, turns);
  }
}

TEST(Deadline, ManyOfAllLengthsComeOnceEachAndInTime) {
  std::mt19937 random(7);
  TurnedWheel time(99);
  struct Armed {
    std::unique_ptr<Noted> noted;
    std::uint64_t due;
  };
  std::vector<Armed> all;
  std::uint64_t last = 0;
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 == 0) time.turn_after(kTick + random() % 40);
    const std::uint64_t after = random() % 400'000;
    all.push_back({std::make_unique<Noted>(time), time.now() + after});
    all.back().noted->deadline.arm(time.wheel(), milliseconds(after));
    last = std::max(last, all.back().due);
  }
  while (time.now() < last + 1000) time.turn_after(kTick + random() % 40);
  for (const auto& [noted, due] : all) {
    ASSERT_EQ(noted->came.size(), 1u);
    EXPECT_GE(noted->came[0], due);
    EXPECT_LE(noted->came[0], due + 2 * kTick + 40);
  }
}

}  // namespace
}  // namespace wherry
