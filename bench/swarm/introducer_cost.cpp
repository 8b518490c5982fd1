#include "bench/swarm/introducer_cost.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <vector>

#include "common/swarm/lease_board.h"
#include "common/swarm/neighbourhood.h"

namespace wherry::bench {
namespace {

double thread_cpu() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

}  // namespace

IntroducerCost introducer_cost(std::uint64_t members, std::uint64_t sites, std::uint32_t pieces) {
  std::vector<swarm::Neighbourhood::Member> newcomers;
  for (std::uint64_t i = 0; i < members; ++i)
    newcomers.push_back({fmt::format("worker-{:05}.site-{}.example.com", i, i % sites),
                         fmt::format("10.{}.{}.{}:6881", i / 65536, i / 256 % 256, i % 256),
                         fmt::format("site-{}", i % sites),
                         {},
                         0,
                         0});
  IntroducerCost cost;
  const double empty = heap_bytes();
  swarm::Neighbourhood neighbourhood(1);
  const std::uint64_t last = std::max<std::uint64_t>(members / 100, 1);
  const double begin = thread_cpu();
  double begin_last = begin;
  for (std::uint64_t i = 0; i < members; ++i) {
    if (i == members - last) begin_last = thread_cpu();
    neighbourhood.join(newcomers[i], {});
  }
  const double end = thread_cpu();
  const double full = heap_bytes();
  const swarm::LeaseBoard board(pieces);
  cost.introductions_per_second = static_cast<double>(members) / (end - begin);
  cost.last_microseconds = (end - begin_last) / static_cast<double>(last) * 1e6;
  cost.bytes_per_member = (full - empty) / static_cast<double>(members);
  cost.board_bytes = heap_bytes() - full + static_cast<double>(sizeof(board));
  return cost;
}

}  // namespace wherry::bench
