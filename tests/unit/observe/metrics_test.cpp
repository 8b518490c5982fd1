#include "common/observe/metrics.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace wherry {
namespace {

using namespace std::chrono_literals;

/// The value of a line of the exposition, or "absent".
std::string value_of(const std::string& text, const std::string& series) {
  const auto at = ("\n" + text).find("\n" + series + " ");
  if (at == std::string::npos) return "absent";
  const auto begin = at + series.size() + 1;
  return text.substr(begin, text.find('\n', begin) - begin);
}

void expect_values(const std::string& text, const std::vector<std::pair<std::string, std::string>>& wanted) {
  for (const auto& [series, value] : wanted) EXPECT_EQ(value_of(text, series), value) << series;
}

/// Does it 10,000 times in each of so many threads.
void in_threads(int threads, const std::function<void()>& work) {
  std::vector<std::jthread> running;
  for (int t = 0; t < threads; ++t)
    running.emplace_back([&] {
      for (int i = 0; i < 10000; ++i) work();
    });
}

TEST(Metrics, TellVersionAndRole) {
  Metrics metrics("wherry-test");
  EXPECT_NE(metrics.text().find("wherry_build_info{role=\"wherry-test\",version=\"" WHERRY_VERSION "\"} 1\n"),
            std::string::npos)
      << metrics.text();
}

TEST(Metrics, ACounterStandsAtZeroUntilItIsCounted) {
  Metrics metrics("test");
  auto counter = metrics.counter("wherry_x_total", "What x is");
  EXPECT_EQ(value_of(metrics.text(), "wherry_x_total"), "0");
  counter.add();
  counter.add(41);
  EXPECT_EQ(value_of(metrics.text(), "wherry_x_total"), "42");
  EXPECT_NE(metrics.text().find("# HELP wherry_x_total What x is\n# TYPE wherry_x_total counter\n"), std::string::npos);
}

TEST(Metrics, LabelsSeparateSeriesOfOneNameAndAreEscaped) {
  Metrics metrics("test");
  metrics.counter("wherry_y_total", "h", "from", "held").add(1);
  metrics.counter("wherry_y_total", "h", "from", "parent").add(2);
  metrics.counter("wherry_y_total", "h", "from", "a\"b\\c\nd").add(3);
  const auto text = metrics.text();
  expect_values(text, {{"wherry_y_total{from=\"held\"}", "1"},
                       {"wherry_y_total{from=\"parent\"}", "2"},
                       {"wherry_y_total{from=\"a\\\"b\\\\c\\nd\"}", "3"}});
}

TEST(Metrics, ACounterAskedForTwiceIsTheSame) {
  Metrics metrics("test");
  metrics.counter("wherry_z_total", "h").add(1);
  metrics.counter("wherry_z_total", "h").add(2);
  EXPECT_EQ(value_of(metrics.text(), "wherry_z_total"), "3");
}

TEST(Metrics, ThreadsCountTogether) {
  Metrics metrics("test");
  auto counter = metrics.counter("wherry_t_total", "h");
  in_threads(4, [&] { counter.add(); });
  EXPECT_EQ(value_of(metrics.text(), "wherry_t_total"), "40000");
}

TEST(Metrics, AGaugeIsAskedWhenItIsRead) {
  Metrics metrics("test");
  double value = 1;
  metrics.gauge("wherry_g", "h", [&] { return value; });
  EXPECT_EQ(value_of(metrics.text(), "wherry_g"), "1");
  value = -2.5;
  EXPECT_EQ(value_of(metrics.text(), "wherry_g"), "-2.5");
}

TEST(Metrics, RequestsAreCountedByKindAndStatus) {
  Metrics metrics("test");
  RequestKinds kinds;
  kinds.names[0] = "other";
  kinds.names[2] = "blob";
  metrics.name_requests(kinds);
  struct Case {
    int status;
    std::string label;
  };
  const std::vector<Case> cases = {{200, "2xx"}, {206, "2xx"}, {307, "3xx"},   {304, "3xx"}, {400, "4xx"},
                                   {401, "4xx"}, {404, "404"}, {416, "4xx"},   {429, "4xx"}, {500, "5xx"},
                                   {503, "5xx"}, {507, "507"}, {499, "closed"}};
  for (const auto& c : cases) {
    const std::string series = "wherry_http_requests_total{kind=\"blob\",status=\"" + c.label + "\"}";
    const auto before = std::stod(value_of(metrics.text(), series));
    metrics.count_request({.kind = 2, .status = c.status, .sent_bytes = 10, .took = 1ms});
    EXPECT_EQ(std::stod(value_of(metrics.text(), series)), before + 1) << c.status;
  }
  const auto text = metrics.text();
  expect_values(text, {{"wherry_http_sent_bytes_total", "130"},
                       {"wherry_http_request_seconds_count{kind=\"blob\"}", "13"},
                       {"wherry_http_request_seconds_count{kind=\"other\"}", "0"},
                       {"wherry_http_request_seconds_bucket{kind=\"blob\",le=\"0.0005\"}", "0"},
                       {"wherry_http_request_seconds_bucket{kind=\"blob\",le=\"0.002\"}", "13"}});
}

TEST(Metrics, AKindWithoutANameIsNotCountedAndHarmsNobody) {
  Metrics metrics("test");
  metrics.count_request({.kind = 0, .status = 200, .sent_bytes = 1});  // before they were named
  RequestKinds kinds;
  kinds.names[0] = "other";
  metrics.name_requests(kinds);
  for (const int kind : {1, 15, 16, 255})
    metrics.count_request({.kind = static_cast<std::uint8_t>(kind), .status = 200, .sent_bytes = 1});
  EXPECT_EQ(value_of(metrics.text(), "wherry_http_sent_bytes_total"), "0");
}

TEST(Metrics, AHistogramCountsEachInItsBucketAndAllBeyond) {
  Metrics metrics("test");
  auto histogram = metrics.histogram("wherry_h_seconds", "How long", {{"kind", "x"}});
  for (const Duration took : {Duration(500us), Duration(501us), Duration(20s), Duration(2h), Duration(-1s)})
    histogram.observe(took);
  const auto text = metrics.text();
  EXPECT_NE(text.find("# HELP wherry_h_seconds How long\n# TYPE wherry_h_seconds histogram\n"), std::string::npos);
  expect_values(text, {{"wherry_h_seconds_bucket{kind=\"x\",le=\"0.0005\"}", "2"},
                       {"wherry_h_seconds_bucket{kind=\"x\",le=\"0.002\"}", "3"},
                       {"wherry_h_seconds_bucket{kind=\"x\",le=\"30\"}", "4"},
                       {"wherry_h_seconds_bucket{kind=\"x\",le=\"600\"}", "4"},
                       {"wherry_h_seconds_bucket{kind=\"x\",le=\"+Inf\"}", "5"},
                       {"wherry_h_seconds_count{kind=\"x\"}", "5"}});
  EXPECT_NEAR(std::stod(value_of(text, "wherry_h_seconds_sum{kind=\"x\"}")), 7220.001, 0.01);
}

TEST(Metrics, ThreadsObserveTogether) {
  Metrics metrics("test");
  auto histogram = metrics.histogram("wherry_h_seconds", "h");
  in_threads(12, [&] { histogram.observe(1ms); });
  EXPECT_EQ(value_of(metrics.text(), "wherry_h_seconds_count"), "120000");
}

TEST(Metrics, ACountKeptElsewhereIsAskedFor) {
  Metrics metrics("test");
  std::uint64_t count = 3;
  metrics.count_of("wherry_c_total", "h", {{"code", "2xx"}}, [&] { return count; });
  metrics.count_of("wherry_c_total", "h", {{"code", "5xx"}}, [] { return 7; });
  count = 4;
  const auto text = metrics.text();
  EXPECT_NE(text.find("# TYPE wherry_c_total counter\n"), std::string::npos);
  EXPECT_EQ(text.find("# TYPE wherry_c_total"), text.rfind("# TYPE wherry_c_total")) << "one family";
  expect_values(text, {{"wherry_c_total{code=\"2xx\"}", "4"}, {"wherry_c_total{code=\"5xx\"}", "7"}});
}

TEST(Metrics, AnswersAreCountedByKindAndSource) {
  Metrics metrics("test");
  RequestKinds kinds;
  kinds.names[1] = "blob";
  kinds.names[2] = "manifest";
  metrics.name_requests(kinds);
  metrics.name_sources({1, 2});
  metrics.count_request({.kind = 1, .status = 200, .sent_bytes = 10, .first_byte = 1ms, .source = Source::kJoined});
  metrics.count_request({.kind = 1, .status = 200, .sent_bytes = 5, .first_byte = 1ms, .source = Source::kJoined});
  metrics.count_request({.kind = 2, .status = 200, .sent_bytes = 7, .source = Source::kStale});
  metrics.count_request({.kind = 2, .status = 404, .sent_bytes = 100});
  const auto text = metrics.text();
  expect_values(text, {{"wherry_cache_answers_total{kind=\"blob\",source=\"joined\"}", "2"},
                       {"wherry_cache_answers_total{kind=\"manifest\",source=\"stale\"}", "1"},
                       {"wherry_cache_answers_total{kind=\"manifest\",source=\"hit\"}", "0"},
                       {"wherry_cache_answered_bytes_total{source=\"joined\"}", "15"},
                       {"wherry_cache_answered_bytes_total{source=\"stale\"}", "7"},
                       {"wherry_http_first_byte_seconds_count{kind=\"blob\"}", "2"},
                       {"wherry_http_first_byte_seconds_count{kind=\"manifest\"}", "0"}});
}

}  // namespace
}  // namespace wherry
