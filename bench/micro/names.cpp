// What every request does with the names in it.
#include <benchmark/benchmark.h>

#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "common/registry/route.h"
#include "common/registry/tables.h"

namespace wherry {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');
const std::string kRepository = "docker.io/library/alpine";

void parse_reference(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Reference::parse("3.20.1-alpine"));
}
BENCHMARK(parse_reference);

void parse_repository_name(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(RepositoryName::parse(kRepository));
}
BENCHMARK(parse_repository_name);

void parse_digest(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Digest::parse(kDigest));
}
BENCHMARK(parse_digest);

void print_digest(benchmark::State& state) {
  const Digest digest = Digest::parse(kDigest).value();
  for (auto _ : state) benchmark::DoNotOptimize(digest.to_string());
}
BENCHMARK(print_digest);

void route_of_a_blob(benchmark::State& state) {
  const std::string path = "/v2/" + kRepository + "/blobs/" + kDigest;
  for (auto _ : state) benchmark::DoNotOptimize(registry::parse_route(path));
}
BENCHMARK(route_of_a_blob);

void route_of_a_tag(benchmark::State& state) {
  const std::string path = "/v2/" + kRepository + "/manifests/3.20";
  for (auto _ : state) benchmark::DoNotOptimize(registry::parse_route(path));
}
BENCHMARK(route_of_a_tag);

void key_of_a_manifest(benchmark::State& state) {
  const auto repository = RepositoryName::parse(kRepository).value();
  const Digest digest = Digest::parse(kDigest).value();
  for (auto _ : state) benchmark::DoNotOptimize(registry::tables::manifest_key(repository, digest));
}
BENCHMARK(key_of_a_manifest);

void key_of_a_tag(benchmark::State& state) {
  const auto repository = RepositoryName::parse(kRepository).value();
  for (auto _ : state) benchmark::DoNotOptimize(registry::tables::tag_key(repository, "3.20"));
}
BENCHMARK(key_of_a_tag);

}  // namespace
}  // namespace wherry
