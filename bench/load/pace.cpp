#include "bench/load/pace.h"

#include "common/async/scope.h"
#include "common/async/sleep.h"

namespace wherry::bench {
namespace {

class Run {
 public:
  Run(const Target& target, const Pace& pace, const Operation& operation, Tally& tally)
      : target_(target), pace_(pace), operation_(operation), tally_(tally) {}

  Task<void> all() {
    begun_ = Clock::system().monotonic();
    Scope scope;
    for (std::uint64_t i = 0; i < pace_.clients; ++i) scope.spawn(work());
    co_await scope.join();
    tally_.took = Clock::system().monotonic() - begun_;
  }

 private:
  Task<void> work() {
    Client client(target_);
    while (next_ < pace_.requests) {
      const std::uint64_t number = next_++;
      Monotonic due = Clock::system().monotonic();
      if (pace_.per_second > 0) {
        const std::chrono::duration<double> offset(static_cast<double>(number) / pace_.per_second);
        due = begun_ + std::chrono::duration_cast<Duration>(offset);
        co_await wait_until(due);
      }
      Task<Result<Done>> task = operation_(client, number);
      const auto done = co_await std::move(task);
      note(done, Clock::system().monotonic() - due);
    }
  }

  /// To some microseconds: the timer for the most of it, and then other clients' work until it is time.
  static Task<void> wait_until(Monotonic due) {
    while (true) {
      const auto left = due - Clock::system().monotonic();
      if (left <= Duration(0)) co_return;
      const auto whole = std::chrono::floor<std::chrono::milliseconds>(left) - std::chrono::milliseconds(1);
      if (whole.count() > 0) {
        co_await sleep_for(whole);
      } else {
        co_await Loop::current().yield();
      }
    }
  }

  void note(const Result<Done>& done, Duration took) {
    tally_.whole.add(took);
    if (done) {
      tally_.first_byte.add(done->first_byte);
      tally_.bytes += done->bytes;
      return;
    }
    if (tally_.errors++ == 0) tally_.first_error = done.error().message();
  }

  const Target& target_;
  const Pace& pace_;
  const Operation& operation_;
  Tally& tally_;
  std::uint64_t next_ = 0;
  Monotonic begun_{};
};

}  // namespace

Task<void> run_paced(const Target& target, const Pace& pace, const Operation& operation, Tally& tally) {
  Run run(target, pace, operation, tally);
  co_await run.all();
}

}  // namespace wherry::bench
