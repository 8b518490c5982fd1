#include "common/observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <limits>

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
  static constexpr std::size_t kSources = 5;
  using Counts = std::array<std::atomic<std::uint64_t>, kSources>;

  RequestKinds kinds;
  std::array<std::array<prometheus::Counter*, kStatusGroups.size()>, RequestKinds::kMost> counts{};
  std::array<HistogramSeries*, RequestKinds::kMost> seconds{};
  std::array<HistogramSeries*, RequestKinds::kMost> first_byte{};
  prometheus::Counter* sent_bytes = nullptr;
  std::array<Counts, RequestKinds::kMost> answers{};
  Counts answered_bytes{};
};

std::string_view name_of(Source source) {
  switch (source) {
    case Source::kNone: return "none";
    case Source::kHit: return "hit";
    case Source::kJoined: return "joined";
    case Source::kFilled: return "filled";
    case Source::kStale: return "stale";
  }
  return "none";
}

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

void Metrics::gauge(const std::string& name, const std::string& help, std::function<double()> value,
                    const Labels& labels) {
  auto& gauge = prometheus::BuildGauge()
                    .Name(name)
                    .Help(help)
                    .Register(*registry_)
                    .Add(prometheus::Labels(labels.begin(), labels.end()));
  const std::lock_guard lock(mutex_);
  asked_.push_back({&gauge, std::move(value)});
}

Metrics::Own& Metrics::own(const std::string& name, const std::string& help) {
  for (Own& known : own_)
    if (known.name == name) return known;
  return own_.emplace_back(Own{name, help, {}, {}});
}

void Metrics::count_of(const std::string& name, const std::string& help, const Labels& labels,
                       std::function<std::uint64_t()> value) {
  const std::lock_guard lock(mutex_);
  own(name, help).counts.emplace_back(labels, std::move(value));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help, const Labels& labels) {
  const std::lock_guard lock(mutex_);
  HistogramSeries& series = histograms_.emplace_back();
  own(name, help).histograms.emplace_back(labels, &series);
  return Histogram(series);
}

void Metrics::name_requests(const RequestKinds& kinds) {
  requests_ = std::make_unique<Requests>();
  requests_->kinds = kinds;
  auto& counts = prometheus::BuildCounter()
                     .Name("wherry_http_requests_total")
                     .Help("Requests by kind and status")
                     .Register(*registry_);
  for (std::size_t kind = 0; kind < RequestKinds::kMost; ++kind) {
    if (kinds.names[kind].empty()) continue;
    const std::string name(kinds.names[kind]);
    for (std::size_t group = 0; group < kStatusGroups.size(); ++group)
      requests_->counts[kind][group] = &counts.Add({{"kind", name}, {"status", status_name(group)}});
    const std::lock_guard lock(mutex_);
    const auto series = [&](const char* metric, const char* help) {
      HistogramSeries& made = histograms_.emplace_back();
      own(metric, help).histograms.emplace_back(Labels{{"kind", name}}, &made);
      return &made;
    };
    requests_->seconds[kind] = series("wherry_http_request_seconds", "From a request's head to the end of its answer");
    requests_->first_byte[kind] =
        series("wherry_http_first_byte_seconds", "From a request's head to the first byte of its answer");
  }
  requests_->sent_bytes = &prometheus::BuildCounter()
                               .Name("wherry_http_sent_bytes_total")
                               .Help("Bytes of response bodies")
                               .Register(*registry_)
                               .Add({});
}

void Metrics::name_sources(const std::vector<std::uint8_t>& kinds) {
  for (const Source source : {Source::kHit, Source::kJoined, Source::kFilled, Source::kStale}) {
    const auto index = static_cast<std::size_t>(source);
    for (const std::uint8_t kind : kinds)
      count_of("wherry_cache_answers_total", "Answers by where they came from",
               {{"kind", std::string(requests_->kinds.names[kind])}, {"source", std::string(name_of(source))}},
               [count = &requests_->answers[kind][index]] { return count->load(std::memory_order_relaxed); });
    count_of("wherry_cache_answered_bytes_total", "Bytes of bodies by where they came from",
             {{"source", std::string(name_of(source))}},
             [bytes = &requests_->answered_bytes[index]] { return bytes->load(std::memory_order_relaxed); });
  }
}

void Metrics::count_request(const EndedRequest& request) {
  const std::uint8_t kind = request.kind;
  if (requests_ == nullptr || kind >= RequestKinds::kMost || requests_->seconds[kind] == nullptr) return;
  requests_->counts[kind][status_group(request.status)]->Increment();
  requests_->seconds[kind]->observe(request.took);
  if (request.first_byte) requests_->first_byte[kind]->observe(*request.first_byte);
  if (request.sent_bytes > 0) requests_->sent_bytes->Increment(static_cast<double>(request.sent_bytes));
  if (request.source == Source::kNone) return;
  const auto source = static_cast<std::size_t>(request.source);
  requests_->answers[kind][source].fetch_add(1, std::memory_order_relaxed);
  requests_->answered_bytes[source].fetch_add(request.sent_bytes, std::memory_order_relaxed);
}

prometheus::MetricFamily Metrics::collect(const Own& own) {
  prometheus::MetricFamily family;
  family.name = own.name;
  family.help = own.help;
  family.type = own.histograms.empty() ? prometheus::MetricType::Counter : prometheus::MetricType::Histogram;
  const auto add = [&family](const Labels& labels) -> prometheus::ClientMetric& {
    prometheus::ClientMetric& metric = family.metric.emplace_back();
    for (const auto& [name, value] : labels) metric.label.push_back({name, value});
    return metric;
  };
  for (const auto& [labels, value] : own.counts) add(labels).counter.value = static_cast<double>(value());
  for (const auto& [labels, series] : own.histograms) {
    prometheus::ClientMetric::Histogram& histogram = add(labels).histogram;
    const auto reading = series->read();
    for (std::size_t i = 0; i < reading.counts.size(); ++i) {
      histogram.sample_count += reading.counts[i];
      const double bound =
          i < HistogramSeries::kBounds.size() ? HistogramSeries::kBounds[i] : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back({histogram.sample_count, bound});
    }
    histogram.sample_sum = reading.sum_seconds;
  }
  return family;
}

std::string Metrics::text() {
  const std::lock_guard lock(mutex_);
  for (const AskedGauge& asked : asked_) asked.gauge->Set(asked.value());
  auto families = registry_->Collect();
  for (const Own& each : own_) families.push_back(collect(each));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace wherry
