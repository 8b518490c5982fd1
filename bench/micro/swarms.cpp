// What it costs a parent to let a node into a swarm.
#include <benchmark/benchmark.h>

#include "common/auth/node_authority.h"

namespace wherry::auth {
namespace {

void certify_a_member(benchmark::State& state) {
  const std::string file = "/dev/shm/wherry-micro-authority.pem";
  const NodeAuthority authority = NodeAuthority::load_or_make(file).value();
  std::remove(file.c_str());
  const std::string request = NodeKey::make().certificate_request("swarm");
  const WallTime now = Clock::system().wall();
  for (auto _ : state) {
    auto certificate =
        authority.certify_member(request, "0123456789abcdef0123456789abcdef", now, std::chrono::hours(24));
    if (!certificate) std::abort();
    benchmark::DoNotOptimize(certificate->pem());
  }
}
BENCHMARK(certify_a_member);

}  // namespace
}  // namespace wherry::auth
