// What it costs a parent to let a node into a swarm.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/auth/node_authority.h"

namespace wherry::auth {
namespace {

void certify_a_member(benchmark::State& state) {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("wherry-micro-{}.pem", ::getpid());
  const NodeAuthority authority = NodeAuthority::load_or_make(file.string()).value();
  std::filesystem::remove(file);
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
