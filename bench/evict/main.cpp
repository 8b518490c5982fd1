// Compares eviction policies by the share of bytes that they make a node fetch.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "bench/evict/policies.h"
#include "bench/evict/trace.h"
#include "common/config/command.h"

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

/// A trace that was recorded: a line a GET, which blob and its bytes.
std::optional<Trace> read_trace(const std::string& path) {
  std::ifstream file(path);
  Trace trace;
  std::uint32_t blob = 0;
  std::uint64_t bytes = 0;
  while (file >> blob >> bytes) {
    if (blob >= trace.sizes.size()) trace.sizes.resize(std::size_t{blob} + 1);
    trace.sizes[blob] = bytes;
    trace.requests.push_back(blob);
  }
  if (!file.eof() || trace.requests.empty()) return std::nullopt;
  return trace;
}

int replay(const std::string& path, std::uint64_t capacity_bytes) {
  const auto trace = read_trace(path);
  if (!trace) {
    std::fprintf(stderr, "wherry-evict: %s: not lines of a blob's number and its bytes\n", path.c_str());
    return 1;
  }
  for (const NamedModel& model : all_models())
    std::puts(fmt::format("{} {:.4f}", model.name, miss_ratio_by_bytes(*model.make(capacity_bytes), *trace)).c_str());
  return 0;
}

void compare_all(TraceShape shape) {
  std::string head = "| Zipf | one-hit | cache |";
  std::string line = "|---|---|---|";
  for (const auto& model : all_models()) {
    head += " " + model.name + " |";
    line += "---|";
  }
  std::printf("%s\n%s\n", head.c_str(), line.c_str());
  for (const double zipf : {0.8, 1.0, 1.1})
    for (const double one_hit : {0.2, 0.4}) {
      shape.zipf = zipf;
      shape.one_hit = one_hit;
      compare(shape);
    }
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  using namespace wherry::bench;
  TraceShape shape;
  std::string recorded;
  std::uint64_t capacity_bytes = 0;
  return wherry::run_program(
      "wherry-evict", "Miss ratio by bytes of eviction policies on a generated trace", argc, argv,
      [&](wherry::Command& program) {
        program.option("--requests", shape.requests, "GETs in each trace");
        program.option("--seed", shape.seed, "of the trace");
        program.option("--largest-bytes", shape.largest_bytes, "no blob is larger");
        program.option("--replay", recorded, "a recorded trace instead: lines of a blob's number and its bytes");
        program.option("--capacity-bytes", capacity_bytes, "of the cache that replays it");
      },
      [&] {
        if (!recorded.empty()) return replay(recorded, capacity_bytes);
        compare_all(shape);
        return 0;
      });
}
