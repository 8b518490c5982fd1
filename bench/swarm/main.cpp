// wherry-swarm-sim: a wave of pulls by any number of nodes, simulated; the policies are those of the product.
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/swarm/introducer_cost.h"
#include "bench/swarm/world.h"
#include "common/config/command.h"
#include "common/swarm/torrent.h"

namespace wherry::bench {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> nodes = {"10", "20", "40", "1000", "10000"};
  std::uint64_t sites = 1;
  std::uint64_t mib = 64;
  double rate = 20;
  double parent_rate = 0;
  double payload = 0.935;
  std::uint64_t sends = 4;
  std::uint64_t waiting = 16;
  std::uint64_t asks = 2;
  std::uint64_t run = 1;
  std::uint64_t slots = 8;
  std::uint64_t pipeline = 2;
  double rtt_ms = 1;
  double again_ms = 250;
  double again_most_ms = 8000;
  double join_again_ms = 1000;
  double every_ms = 0;
  std::uint64_t seed = 1;
  bool json = false;
};

Nanos millis(double count) { return Nanos(static_cast<Nanos::rep>(count * 1e6)); }

Shape shape_of(const Options& options, std::uint64_t nodes) {
  Shape shape;
  shape.nodes = nodes;
  shape.sites = options.sites;
  shape.blob_bytes = options.mib << 20;
  shape.node_rate = options.rate * options.payload * 1e6 / 8;
  shape.parent_rate = (options.parent_rate > 0 ? options.parent_rate : options.rate) * options.payload * 1e6 / 8;
  shape.sends = options.sends;
  shape.waiting = options.waiting;
  shape.asks = options.asks;
  shape.run = options.run;
  shape.slots = options.slots;
  shape.pipeline = options.pipeline;
  shape.one_way = millis(options.rtt_ms / 2);
  shape.come_again = millis(options.again_ms);
  shape.come_again_most = millis(options.again_most_ms);
  shape.join_again = millis(options.join_again_ms);
  shape.every = millis(options.every_ms);
  shape.seed = options.seed;
  return shape;
}

/// One line, as JSON or of the table.
void simulate(const Options& options, std::uint64_t nodes) {
  const Shape shape = shape_of(options, nodes);
  const Outcome outcome = World(shape).run();
  const std::uint32_t piece_bytes = swarm::piece_bytes_for(shape.blob_bytes);
  const std::uint32_t pieces = swarm::pieces_for(shape.blob_bytes);
  const IntroducerCost cost = introducer_cost(nodes, shape.sites, pieces);
  const double unit = static_cast<double>(shape.blob_bytes) * 8 / (options.rate * 1e6);
  const auto at = [&](double share) {
    return outcome.seconds[static_cast<std::size_t>(share * static_cast<double>(outcome.seconds.size() - 1))] / unit;
  };
  if (!options.json) {
    std::printf("| %llu | %.2f | %.2f | %.2f | %.3f | %llu | %llu | %.2f | %llu | %llu | %.0f | %.0f | %.0f | %.0f |\n",
                static_cast<unsigned long long>(nodes), at(1), at(0.5), at(0), outcome.copies,
                static_cast<unsigned long long>(outcome.again), static_cast<unsigned long long>(outcome.twice),
                outcome.first_piece_median, static_cast<unsigned long long>(outcome.asks_peak),
                static_cast<unsigned long long>(outcome.neighbours_most), cost.introductions_per_second,
                cost.last_microseconds, cost.bytes_per_member, cost.board_bytes / 1024);
    std::fflush(stdout);
    return;
  }
  std::puts(Json({{"nodes", nodes},
                  {"sites", shape.sites},
                  {"blob_bytes", shape.blob_bytes},
                  {"piece_bytes", piece_bytes},
                  {"seed", shape.seed},
                  {"bound_seconds", unit},
                  {"last", at(1)},
                  {"p99", at(0.99)},
                  {"median", at(0.5)},
                  {"first", at(0)},
                  {"first_piece_median_seconds", outcome.first_piece_median},
                  {"copies", outcome.copies},
                  {"given_again", outcome.again},
                  {"pieces_twice", outcome.twice},
                  {"asks", outcome.asks},
                  {"asks_in_busiest_second", outcome.asks_peak},
                  {"introductions", outcome.joins},
                  {"most_neighbours", outcome.neighbours_most},
                  {"introductions_per_cpu_second", cost.introductions_per_second},
                  {"introduction_microseconds_at_last", cost.last_microseconds},
                  {"bytes_per_member", cost.bytes_per_member},
                  {"board_bytes", cost.board_bytes},
                  {"events", outcome.events}})
                .dump()
                .c_str());
}

int simulate_all(const Options& options) {
  if (!options.json)
    std::puts(
        "| nodes | last/(F/R) | median | first | copies | given again | twice | first piece, s | asks in a second, "
        "most | "
        "most neighbours | introductions a CPU s | the last ones, us | bytes a member | board, KiB |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
  for (const std::string& nodes : options.nodes) simulate(options, std::stoull(nodes));
  return 0;
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  wherry::bench::Options options;
  return wherry::run_program(
      "wherry-swarm-sim", "a wave of pulls by any number of nodes, simulated", argc, argv,
      [&](wherry::Command& program) {
        program.option("--nodes", options.nodes, "how many; several times for a line each").one_value_each();
        program.option("--sites", options.sites, "that they are spread over").between(1, 1000);
        program.option("--mib", options.mib, "of the blob").between(1, 1 << 16);
        program.option("--rate", options.rate, "Mbit/s of each node's link, each way");
        program.option("--parent-rate", options.parent_rate, "Mbit/s of the parent's; that of a node when left out");
        program.option(
            "--payload", options.payload,
            "of a link's bytes that are the blob's: frames of 1,514 bytes carry 1,448, and 2 % go to acknowledgements");
        program.option("--sends", options.sends, "of the parent at a time").between(1, 1 << 16);
        program.option("--waiting", options.waiting, "asks that the parent keeps until a send is free");
        program.option("--asks", options.asks, "leases that a node asks for at a time");
        program.option("--run", options.run, "pieces of a lease at most").between(1, 1 << 16);
        program.option("--slots", options.slots, "neighbours that a node sends to at a time").between(1, 1 << 16);
        program.option("--pipeline", options.pipeline, "pieces that it asks each neighbour for at a time")
            .between(1, 1 << 16);
        program.option("--rtt", options.rtt_ms, "milliseconds");
        program.option("--again", options.again_ms,
                       "milliseconds until who got no lease asks again; then twice that, ...");
        program.option("--again-most", options.again_most_ms, "up to so many");
        program.option(
            "--join-again", options.join_again_ms,
            "milliseconds until who knows too few asks to be introduced again; then twice that, ...; 0: never");
        program.option("--every", options.every_ms, "milliseconds between nodes' starts; 0: all at once");
        program.option("--seed", options.seed, "of chance");
        program.flag("--json", options.json, "a line of JSON for each instead of a table");
      },
      [&] { return simulate_all(options); });
}
