// Gate: whether an execution may go on, and how fast.
#pragma once

#include <memory>
#include <vector>

#include "common/http/request_body.h"
#include "common/upstream/budget.h"
#include "master/replication/time_window.h"

namespace wherry::replication {

/// Shut when somebody asked it to stop, when this process ends, or outside of the policy's windows. One loop.
class Gate {
 public:
  /// With a `budget` what passes is counted against its bytes a second: for what is sent, since what is received counts
  /// itself.
  Gate(std::vector<TimeWindow> windows, Budget* budget, std::uint64_t bytes_per_second, const Clock& clock)
      : windows_(std::move(windows)), budget_(budget), bytes_per_second_(bytes_per_second), clock_(clock) {}

  void shut() { shut_ = true; }
  bool is_shut() const { return shut_; }
  bool in_window() const { return any_open(windows_, clock_.wall()); }
  /// Errors: kCancelled when shut, kUnavailable outside of the windows.
  Result<void> check() const;
  /// Waits until so many bytes may pass.
  Task<void> spend(std::uint64_t bytes);
  /// How many bytes are best taken at a time, so that a slow rate is an even one.
  std::uint64_t piece_bytes() const;

 private:
  std::vector<TimeWindow> windows_;
  Budget* budget_;
  std::uint64_t bytes_per_second_;
  const Clock& clock_;
  bool shut_ = false;
};

/// A body whose bytes pass a gate, one by one piece. Both outlive it.
class GatedBody final : public http::RequestBody {
 public:
  GatedBody(std::shared_ptr<http::RequestBody> body, Gate& gate) : body_(std::move(body)), gate_(gate) {}
  std::uint64_t size() const override { return body_->size(); }
  Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override;

 private:
  std::shared_ptr<http::RequestBody> body_;
  Gate& gate_;
};

}  // namespace wherry::replication
