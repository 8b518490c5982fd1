// What operators ask of a process, on an address of its own: /healthz, /readyz, /metrics.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "common/http/server.h"
#include "common/observe/metrics.h"

namespace wherry {

/// Whether a process should be sent work: not before it can serve, not while it ends.
class Health {
 public:
  enum class State { kStarting, kReady, kDraining };
  void set(State state) { state_.store(state); }
  State state() const { return state_.load(); }

 private:
  std::atomic<State> state_{State::kStarting};
};

/// Serves `/healthz` (200 while the process runs), `/readyz` (200 or 503 with the reason), `/metrics` and
/// `/status.json` (503 while there is none). On one loop.
class ObserveService : public http::Service {
 public:
  ObserveService(Metrics& metrics, const Health& health) : metrics_(metrics), health_(health) {}

  /// Where `/status.json` comes from; null: there is none.
  void show(std::function<Task<std::string>()> status) { status_ = std::move(status); }

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  Metrics& metrics_;
  const Health& health_;
  std::function<Task<std::string>()> status_;
};

}  // namespace wherry
