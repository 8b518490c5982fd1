// Compares eviction policies by the share of bytes that they make a node fetch.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "bench/evict/policies.h"
#include "bench/evict/trace.h"

namespace wherry::bench {
namespace {

double miss_ratio_by_bytes(CacheModel& cache, const Trace& trace) {
  double asked = 0;
  double missed = 0;
  for (const std::uint32_t blob : trace.requests) {
    const auto bytes = trace.sizes[blob];
    asked += static_cast<double>(bytes);
    if (!cache.get(blob, bytes)) missed += static_cast<double>(bytes);
  }
  return missed / asked;
}

void compare(const TraceShape& shape) {
  const Trace trace = make_trace(shape);
  const auto models = all_models();
  for (const std::uint64_t percent : {1, 10, 30}) {
    std::string row = fmt::format("| {:.1f} | {:.0f} % | {} % |", shape.zipf, shape.one_hit * 100, percent);
    for (const NamedModel& model : models) {
      const auto cache = model.make(trace.working_set_bytes / 100 * percent);
      row += fmt::format(" {:.4f} |", miss_ratio_by_bytes(*cache, trace));
    }
    std::puts(row.c_str());
  }
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  wherry::bench::TraceShape shape;
  CLI::App app("Miss ratio by bytes of eviction policies on a generated trace", "wherry-evict");
  app.add_option("--requests", shape.requests, "GETs in each trace");
  app.add_option("--seed", shape.seed, "of the trace");
  app.add_option("--largest-bytes", shape.largest_bytes, "no blob is larger");
  CLI11_PARSE(app, argc, argv);
  std::string head = "| Zipf | one-hit | cache |";
  std::string line = "|---|---|---|";
  for (const auto& model : wherry::bench::all_models()) {
    head += " " + model.name + " |";
    line += "---|";
  }
  std::printf("%s\n%s\n", head.c_str(), line.c_str());
  for (const double zipf : {0.8, 1.0, 1.1})
    for (const double one_hit : {0.2, 0.4}) {
      shape.zipf = zipf;
      shape.one_hit = one_hit;
      wherry::bench::compare(shape);
    }
}
