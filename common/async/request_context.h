// RequestContext: what goes with a request through all tasks that answer it, without a parameter of each.
#pragma once

#include <coroutine>
#include <cstdint>

#include "common/async/task.h"
#include "common/base/trace_parent.h"

namespace wherry {

/// Where an answer came from: held; a fetch that another request had begun; a fetch that this one began; held and
/// perhaps out of date.
enum class Source : std::uint8_t { kNone, kHit, kJoined, kFilled, kStale };

/// Belongs to the one who answers (an http::Exchange), who outlives the tasks that he awaits: a Task takes it over from
/// the coroutine that awaits it. What is started apart (a Scope, a SingleFlight, a fill) outlives him, so it has none,
/// or one of its own with a copy of the trace.
struct RequestContext {
  TraceParent trace;
  Source source = Source::kNone;
  std::uint64_t client = 0;  ///< who asks: the same for all requests from one address; 0: this process itself

  /// The outcome of work that was shared: only for one of those who wanted it was it fetched.
  void share(Source from, bool began) {
    if (from != Source::kNone) source = from == Source::kFilled && !began ? Source::kJoined : from;
  }
};

namespace detail {

/// Does something with the promise of the coroutine that awaits it, which does not suspend.
template <class Act>
struct PromiseVisit {
  Act act;
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> handle) noexcept {
    act.on(handle.promise().request);
    return false;
  }
  auto await_resume() const noexcept { return act.result(); }
};

struct ReadRequest {
  RequestContext* context = nullptr;
  void on(RequestContext* request) noexcept { context = request; }
  RequestContext* result() const noexcept { return context; }
};

struct SetRequest {
  RequestContext* context;
  void on(RequestContext*& request) const noexcept { request = context; }
  void result() const noexcept {}
};

struct NoteSource {
  Source source;
  void on(RequestContext* request) const noexcept {
    if (request != nullptr) request->source = source;
  }
  void result() const noexcept {}
};

}  // namespace detail

/// Awaitable in a Task: the context of the request that it answers; null when there is none. Does not suspend.
inline auto current_request() { return detail::PromiseVisit<detail::ReadRequest>{}; }

/// Awaitable in a Task: from here on it, and what it awaits, answers for `context`, which must outlive it.
inline auto answer_for(RequestContext& context) {
  return detail::PromiseVisit<detail::SetRequest>{detail::SetRequest{&context}};
}

/// Awaitable in a Task: says where its request's answer comes from; the last word counts.
inline auto note_source(Source source) { return detail::PromiseVisit<detail::NoteSource>{detail::NoteSource{source}}; }

}  // namespace wherry
