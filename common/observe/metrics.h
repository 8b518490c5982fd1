// Metrics of a process, in Prometheus' text form.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/request_context.h"
#include "common/base/clock.h"
#include "common/observe/histogram.h"

namespace prometheus {
class Counter;
class Gauge;
class Registry;
struct MetricFamily;
}  // namespace prometheus

namespace wherry {

/// A count that only grows. Any thread; one atomic addition.
class Counter {
 public:
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void add(std::uint64_t count = 1);

 private:
  prometheus::Counter* counter_;
};

/// What a request was, for its metrics: few and fixed, never from a client's text.
struct RequestKinds {
  static constexpr std::size_t kMost = 16;
  std::array<std::string_view, kMost> names;
};

/// A request that has ended.
struct EndedRequest {
  std::uint8_t kind = 0;
  int status = 0;
  std::uint64_t sent_bytes = 0;
  Duration took{0};
  std::optional<Duration> first_byte{};  ///< nothing when no byte of an answer left
  Source source = Source::kNone;
};

/// "hit", "joined", "filled", "stale" or "none".
std::string_view name_of(Source source);

/// The registry of a process's metrics. Series are made at start; counting allocates nothing.
class Metrics {
 public:
  /// Names and values of a series; the values come from the code or from configuration.
  using Labels = std::vector<std::pair<std::string, std::string>>;

  explicit Metrics(std::string_view role);
  ~Metrics();

  /// A counter of its own, e.g. "wherry_fill_bytes_total".
  Counter counter(const std::string& name, const std::string& help, const std::string& label = "",
                  const std::string& value = "");
  /// A value that is asked for when metrics are read.
  void gauge(const std::string& name, const std::string& help, std::function<double()> value,
             const Labels& labels = {});
  /// A count that is kept elsewhere and asked for when metrics are read.
  void count_of(const std::string& name, const std::string& help, const Labels& labels,
                std::function<std::uint64_t()> value);
  /// Seconds, in the buckets of HistogramSeries.
  Histogram histogram(const std::string& name, const std::string& help, const Labels& labels = {});

  /// Makes the series of requests: wherry_http_requests_total{kind,status}, _sent_bytes_total, _seconds, _first_byte_.
  void name_requests(const RequestKinds& kinds);
  /// Makes the series of where answers come from, for kinds that were named: wherry_cache_answers_total{kind,source}
  /// and wherry_cache_answered_bytes_total{source}.
  void name_sources(const std::vector<std::uint8_t>& kinds);
  void count_request(const EndedRequest& request);

  /// Everything, as text (Prometheus exposition format 0.0.4).
  std::string text();

 private:
  struct Requests;
  struct AskedGauge {
    prometheus::Gauge* gauge;
    std::function<double()> value;
  };
  /// What the library has no fitting form of: series by metric name.
  struct Own {
    std::string name;
    std::string help;
    std::vector<std::pair<Labels, std::function<std::uint64_t()>>> counts;
    std::vector<std::pair<Labels, const HistogramSeries*>> histograms;
  };
  Own& own(const std::string& name, const std::string& help);
  static prometheus::MetricFamily collect(const Own& own);

  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Requests> requests_;
  std::mutex mutex_;
  std::vector<AskedGauge> asked_;
  std::deque<Own> own_;
  std::deque<HistogramSeries> histograms_;
};

}  // namespace wherry
