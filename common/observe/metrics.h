// Metrics of a process, in Prometheus' text form.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
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

/// The registry of a process's metrics. Series are made at start; counting allocates nothing.
class Metrics {
 public:
  explicit Metrics(std::string_view role);
  ~Metrics();

  /// A counter of its own, e.g. "wherry_fill_bytes_total".
  Counter counter(const std::string& name, const std::string& help, const std::string& label = "",
                  const std::string& value = "");
  /// A value that is asked for when metrics are read.
  void gauge(const std::string& name, const std::string& help, std::function<double()> value);

  /// Makes the series of requests: wherry_http_requests_total{kind,status}, _sent_bytes_total, _seconds.
  void name_requests(const RequestKinds& kinds);
  void count_request(std::uint8_t kind, int status, std::uint64_t sent_bytes, Duration took);

  /// Everything, as text (Prometheus exposition format 0.0.4).
  std::string text();

 private:
  struct Requests;
  struct Asked {
    prometheus::Gauge* gauge;
    std::function<double()> value;
  };
  std::shared_ptr<prometheus::Registry> registry_;
  std::unique_ptr<Requests> requests_;
  std::mutex mutex_;
  std::vector<Asked> asked_;
};

}  // namespace wherry
