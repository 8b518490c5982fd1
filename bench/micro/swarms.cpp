// What it costs a parent to let a node into a swarm.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "common/auth/node_authority.h"
#include "common/auth/signed_request.h"

namespace wherry::auth {
namespace {

NodeAuthority made_authority() {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("wherry-micro-{}.pem", ::getpid());
  NodeAuthority authority = NodeAuthority::load_or_make(file.string()).value();
  std::filesystem::remove(file);
  return authority;
}

void certify_a_member(benchmark::State& state) {
  const NodeAuthority authority = made_authority();
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

/// What a parent does with each request of a node.
void check_a_request(benchmark::State& state) {
  const NodeAuthority authority = made_authority();
  const WallTime now = Clock::system().wall();
  NodeKey key = NodeKey::make();
  auto certificate = authority.certify(key.certificate_request("node"), "node", {}, now).value();
  const NodeIdentity identity(std::move(key), std::move(certificate), authority.certificate());
  std::vector<std::string> headers;
  for (int i = 0; i < 64; ++i)
    headers.push_back(sign_request(identity, {"GET", "/v2/team/app/blobs/" + std::to_string(i), ""}, now));
  std::size_t next = 0;
  for (auto _ : state) {
    const std::size_t i = next++ % headers.size();
    const std::string target = "/v2/team/app/blobs/" + std::to_string(i);
    if (!check_request(headers[i], {"GET", target, ""}, authority.certificate(), now)) std::abort();
  }
}
BENCHMARK(check_a_request);

}  // namespace
}  // namespace wherry::auth
