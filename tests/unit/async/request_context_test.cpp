#include "common/async/request_context.h"

#include <gtest/gtest.h>

#include "common/async/scope.h"
#include "common/async/single_flight.h"
#include "common/async/sleep.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using testing::run_task;

const char* const kTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Task<RequestContext*> deep(int levels) {
  if (levels > 0) {
    RequestContext* const below = co_await deep(levels - 1);
    co_return below;
  }
  co_await Loop::current().yield();
  RequestContext* const mine = co_await current_request();
  co_await note_source(Source::kHit);
  co_return mine;
}

Task<void> answer(RequestContext& context, RequestContext*& seen) {
  co_await answer_for(context);
  seen = co_await deep(5);
}

TEST(RequestContext, GoesThroughEveryTaskThatAnswersIt) {
  RequestContext context;
  RequestContext* seen = nullptr;
  run_task(answer(context, seen));
  EXPECT_EQ(seen, &context);
  EXPECT_EQ(context.source, Source::kHit);
}

Task<void> answer_both(RequestContext& one, RequestContext& two, RequestContext*& seen_one, RequestContext*& seen_two) {
  Scope scope;
  scope.spawn(answer(one, seen_one));
  scope.spawn(answer(two, seen_two));
  co_await scope.join();
}

TEST(RequestContext, RequestsThatTakeTurnsDoNotMeet) {
  RequestContext one;
  RequestContext two;
  RequestContext* seen_one = nullptr;
  RequestContext* seen_two = nullptr;
  run_task(answer_both(one, two, seen_one, seen_two));
  EXPECT_EQ(seen_one, &one);
  EXPECT_EQ(seen_two, &two);
}

Task<void> nobody(RequestContext*& seen) { seen = co_await deep(1); }

TEST(RequestContext, WhoAnswersNoRequestHasNone) {
  RequestContext unused;
  RequestContext* seen = &unused;
  run_task(nobody(seen));
  EXPECT_EQ(seen, nullptr);
}

Task<std::string> fetch() {
  co_await sleep_for(std::chrono::milliseconds(5));
  RequestContext* const context = co_await current_request();
  co_await note_source(Source::kFilled);
  co_return std::string(context->trace.text());
}

Task<void> want(SingleFlight<std::string>& flights, RequestContext& context, std::string& got) {
  co_await answer_for(context);
  got = co_await flights.join("key", [] { return fetch(); });
}

Task<void> want_both(RequestContext& first, RequestContext& second, std::string& got_first, std::string& got_second) {
  SingleFlight<std::string> flights({&Loop::current()});
  Scope scope;
  scope.spawn(want(flights, first, got_first));
  scope.spawn(want(flights, second, got_second));
  co_await scope.join();
  co_await flights.stop();
}

TEST(RequestContext, OfSharedWorkTheOneWhoBeganItGivesTheTraceAndOnlyHeFilled) {
  RequestContext first;
  RequestContext second;
  first.trace = TraceParent::parse(kTrace);
  std::string got_first;
  std::string got_second;
  run_task(want_both(first, second, got_first, got_second));
  EXPECT_EQ(got_first, kTrace);
  EXPECT_EQ(got_second, kTrace);
  EXPECT_EQ(first.source, Source::kFilled);
  EXPECT_EQ(second.source, Source::kJoined);
}

}  // namespace
}  // namespace wherry
