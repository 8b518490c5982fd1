// Reading manifests, on a push and when a node takes one in.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "common/oci/hasher.h"
#include "common/oci/manifest.h"

namespace wherry {
namespace {

std::string descriptor(const std::string& type, int number) {
  const std::string digest = Digest::of(DigestAlgorithm::kSha256, std::to_string(number)).to_string();
  return fmt::format(R"({{"mediaType":"application/vnd.oci.image.{}","digest":"{}","size":{}}})", type, digest,
                     1000 + number);
}

std::string image(int layers) {
  std::string list;
  for (int i = 0; i < layers; ++i) list += (i > 0 ? "," : "") + descriptor("layer.v1.tar+gzip", i);
  return fmt::format(
      R"({{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}})",
      descriptor("config.v1+json", 1000), list);
}

void parse_manifest(benchmark::State& state) {
  const std::string bytes = image(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(Manifest::parse(bytes, "application/vnd.oci.image.manifest.v1+json"));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(parse_manifest)->Arg(1)->Arg(10)->Arg(100);

void hash_sha256(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'w');
  for (auto _ : state) {
    Hasher hasher;
    hasher.update(bytes);
    benchmark::DoNotOptimize(hasher.finish());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}
BENCHMARK(hash_sha256)->Arg(3 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace wherry
