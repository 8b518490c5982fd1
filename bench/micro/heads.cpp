// The heads of requests and responses.
#include <benchmark/benchmark.h>

#include "common/http/head.h"
#include "common/http/response.h"

namespace wherry::http {
namespace {

// As containerd sends it.
const std::string kHead =
    "GET /v2/library/alpine/manifests/3.20?ns=docker.io HTTP/1.1\r\n"
    "Host: 127.0.0.1:5010\r\n"
    "User-Agent: containerd/1.7.27+unknown\r\n"
    "Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.index.v1+json, */*\r\n"
    "Accept-Encoding: gzip\r\n"
    "\r\n";

void scan_and_parse_a_request(benchmark::State& state) {
  for (auto _ : state) {
    HeadScanner scanner;
    benchmark::DoNotOptimize(scanner.scan(kHead));
    Request request;
    benchmark::DoNotOptimize(parse_head(kHead, request));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kHead.size()));
}
BENCHMARK(scan_and_parse_a_request);

void fields_of_a_manifest(benchmark::State& state) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  for (auto _ : state) {
    Response response(200);
    response.header("Content-Type", "application/vnd.oci.image.manifest.v1+json");
    response.header("Docker-Content-Digest", digest);
    response.header("ETag", "\"" + digest + "\"");
    response.header("Docker-Distribution-Api-Version", "registry/2.0");
    benchmark::DoNotOptimize(response.fields().data());
  }
}
BENCHMARK(fields_of_a_manifest);

void first_line_and_date(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(status_line(200));
    benchmark::DoNotOptimize(http_date());
  }
}
BENCHMARK(first_line_and_date);

}  // namespace
}  // namespace wherry::http
