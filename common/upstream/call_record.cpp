#include "common/upstream/call_record.h"

#include <algorithm>

namespace wherry {
namespace {

std::size_t code_of(std::string_view name) {
  const auto& codes = CallRecord::kCodes;
  return static_cast<std::size_t>(std::find(codes.begin(), codes.end(), name) - codes.begin());
}

std::size_t code_of(int status) {
  switch (status) {
    case 304: return code_of("304");
    case 401: return code_of("401");
    case 403: return code_of("403");
    case 404: return code_of("404");
    case 429: return code_of("429");
    default: break;
  }
  if (status < 200) return code_of("1xx");
  if (status < 300) return code_of("2xx");
  if (status < 400) return code_of("3xx");
  return code_of(status < 500 ? "4xx" : "5xx");
}

}  // namespace

void CallRecord::note(const Result<std::unique_ptr<http::Transfer>>& outcome, bool own) {
  if (outcome)
    answered((*outcome)->head().status(), own);
  else
    failed(outcome.error(), own);
}

void CallRecord::answered(int status, bool own) {
  counts_[code_of(status)].fetch_add(1, std::memory_order_relaxed);
  if (!own) return;
  if (up_.load(std::memory_order_relaxed) != 1) change(true);
  if (status >= 500 || status == 429) remember(fmt::format("it answered {}", status));
}

void CallRecord::failed(const Error& error, bool own) {
  const ErrorKind kind = error.kind();
  if (kind != ErrorKind::kUpstream && kind != ErrorKind::kTimeout) return;
  counts_[code_of(kind == ErrorKind::kTimeout ? "timeout" : "unreachable")].fetch_add(1, std::memory_order_relaxed);
  if (!own) return;
  if (up_.load(std::memory_order_relaxed) != 0) change(false);
  remember(error.message());
}

void CallRecord::change(bool up) {
  const std::lock_guard lock(mutex_);
  if (up_.exchange(up ? 1 : 0) != (up ? 1 : 0)) since_ = clock_.wall();
}

void CallRecord::remember(std::string message) {
  message.resize(std::min(message.size(), kMaxErrorBytes));
  const std::lock_guard lock(mutex_);
  failure_ = Failure{std::move(message), clock_.wall()};
}

CallRecord::State CallRecord::state() const {
  const std::lock_guard lock(mutex_);
  State state;
  if (const int up = up_.load(); up >= 0) state.up = up == 1;
  state.since = since_;
  state.failure = failure_;
  return state;
}

}  // namespace wherry
