#include "common/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace wherry {
namespace {

constexpr std::array<int, 7> kStatusGroups = {200, 300, 400, 404, 499, 500, 507};

std::size_t status_group(int status) {
  if (status == 404) return 3;
  if (status == 499) return 4;
  if (status == 507) return 6;
  if (status >= 500) return 5;
  if (status >= 400) return 2;
  return status >= 300 ? 1 : 0;
}

std::string status_name(std::size_t group) {
  static constexpr std::array<std::string_view, kStatusGroups.size()> kNames = {"2xx",    "3xx", "4xx", "404",
                                                                                "closed", "5xx", "507"};
  return std::string(kNames[group]);
}

}  // namespace

void Counter::add(std::uint64_t count) { counter_->Increment(static_cast<double>(count)); }

struct Metrics::Requests {
  std::array<std::array<prometheus::Counter*, kStatusGroups.size()>, RequestKinds::kMost> counts{};
  std::array<prometheus::Histogram*, RequestKinds::kMost> seconds{};
  prometheus::Counter* sent_bytes = nullptr;
};

Metrics::Metrics(std::string_view role) : registry_(std::make_shared<prometheus::Registry>()) {
  prometheus::BuildGauge()
      .Name("wherry_build_info")
      .Help("1, with the version and role of this process")
      .Register(*registry_)
      .Add({{"version", WHERRY_VERSION}, {"role", std::string(role)}})
      .Set(1);
}

Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const std::string& label,
                         const std::string& value) {
  auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(*registry_);
  prometheus::Labels labels;
  if (!label.empty()) labels.emplace(label, value);
  return Counter(&family.Add(labels));
}

void Metrics::gauge(const std::string& name, const std::string& help, std::function<double()> value) {
  auto& gauge = prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add({});
  const std::lock_guard lock(mutex_);
  asked_.push_back({&gauge, std::move(value)});
}

void Metrics::name_requests(const RequestKinds& kinds) {
  requests_ = std::make_unique<Requests>();
  auto& counts = prometheus::BuildCounter()
                     .Name("wherry_http_requests_total")
                     .Help("Requests by kind and status")
                     .Register(*registry_);
  auto& seconds = prometheus::BuildHistogram()
                      .Name("wherry_http_request_seconds")
                      .Help("From a request's head to the end of its answer")
                      .Register(*registry_);
  for (std::size_t kind = 0; kind < RequestKinds::kMost; ++kind) {
    if (kinds.names[kind].empty()) continue;
    const std::string name(kinds.names[kind]);
    for (std::size_t group = 0; group < kStatusGroups.size(); ++group)
      requests_->counts[kind][group] = &counts.Add({{"kind", name}, {"status", status_name(group)}});
    requests_->seconds[kind] = &seconds.Add(
        {{"kind", name}}, prometheus::Histogram::BucketBoundaries{0.0005, 0.002, 0.01, 0.05, 0.25, 1, 5, 30, 120});
  }
  requests_->sent_bytes = &prometheus::BuildCounter()
                               .Name("wherry_http_sent_bytes_total")
                               .Help("Bytes of response bodies")
                               .Register(*registry_)
                               .Add({});
}

void Metrics::count_request(std::uint8_t kind, int status, std::uint64_t sent_bytes, Duration took) {
  if (requests_ == nullptr || kind >= RequestKinds::kMost || requests_->seconds[kind] == nullptr) return;
  requests_->counts[kind][status_group(status)]->Increment();
  requests_->seconds[kind]->Observe(std::chrono::duration<double>(took).count());
  if (sent_bytes > 0) requests_->sent_bytes->Increment(static_cast<double>(sent_bytes));
}

std::string Metrics::text() {
  {
    const std::lock_guard lock(mutex_);
    for (const Asked& asked : asked_) asked.gauge->Set(asked.value());
  }
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

}  // namespace wherry
