// wherry-load: load on a registry from one thread. One JSON line on standard output says what was done and how long it
// took; exit code 1 when an answer or a body was wrong.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/load/operations.h"
#include "common/async/run_on_loop.h"
#include "common/async/scope.h"
#include "common/config/command.h"

namespace wherry::bench {
namespace {

constexpr int kWrongUse = 64;

/// What all commands take.
struct Common {
  std::string server;
  bool tls = false;
  std::string cipher;
  Pace pace;

  void add_to(Command& command) {
    command.option("--server", server, "HOST:PORT").required();
    command.option("--clients", pace.clients, "how many at once").between(1, 100'000);
    command.option("--requests", pace.requests, "of all clients together");
    command.option("--rate", pace.per_second, "open loop: so many begin a second, and wait for a free client");
    command.flag("--tls", tls, "TLS 1.3; the certificate is not looked at");
    command.option("--cipher", cipher, "of TLS, such as TLS_AES_128_GCM_SHA256");
  }
};

int wrong_use(const Error& error) {
  std::fprintf(stderr, "wherry-load: %s\n", error.message().c_str());
  return kWrongUse;
}

void print(const Tally& tally) {
  const nlohmann::ordered_json said = {{"requests", tally.whole.count()},
                                       {"errors", tally.errors},
                                       {"first_error", tally.first_error},
                                       {"body_bytes", tally.bytes},
                                       {"seconds", std::chrono::duration<double>(tally.took).count()},
                                       {"ms", nlohmann::ordered_json::parse(tally.whole.to_json())},
                                       {"first_byte_ms", nlohmann::ordered_json::parse(tally.first_byte.to_json())}};
  std::printf("%s\n", said.dump().c_str());
}

Task<int> run_to_end(const Target& target, const Pace& pace, const Operation& operation, Tally& tally) {
  co_await run_paced(target, pace, operation, tally);
  co_return 0;
}

int put_on(const Common& common, const Operation& operation) {
  const auto target = Target::make(common.server, common.tls, common.cipher);
  if (!target) return wrong_use(target.error());
  Tally tally;
  run_on_loop([&] { return run_to_end(*target, common.pace, operation, tally); });
  print(tally);
  return tally.errors == 0 ? 0 : 1;
}

/// Connections that have been answered once and then say nothing, until standard input ends.
Task<void> stay(Client& client, const std::string& path, Tally& tally) {
  Request request{"GET", path};
  auto answer = co_await client.connection().ask(request);
  if (!answer && tally.errors++ == 0) tally.first_error = answer.error().message();
}

Task<int> stay_idle(const Target& target, std::uint64_t clients, const std::string& path, Tally& tally) {
  std::vector<std::unique_ptr<Client>> all;
  for (std::uint64_t i = 0; i < clients; ++i) {
    all.push_back(std::make_unique<Client>(target));
    co_await stay(*all.back(), path, tally);
  }
  std::printf("{\"idle\":%llu,\"errors\":%llu}\n", static_cast<unsigned long long>(clients),
              static_cast<unsigned long long>(tally.errors));
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) continue;
  co_return tally.errors == 0 ? 0 : 1;
}

int idle(const Common& common, const std::string& path) {
  const auto target = Target::make(common.server, common.tls, common.cipher);
  if (!target) return wrong_use(target.error());
  Tally tally;
  return run_on_loop([&] { return stay_idle(*target, common.pace.clients, path, tally); });
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  using namespace wherry;
  using namespace wherry::bench;
  Common common;
  GetOptions get;
  PullOptions pull;
  PushOptions push;
  MountOptions mount;
  std::string way = "monolithic";
  std::vector<std::string> headers;
  std::uint64_t push_percent = 10;

  const auto run_get = [&] {
    for (const std::string& line : headers) get.headers += line + "\r\n";
    if (get.range_bytes > get.size_bytes)
      return wrong_use(Error(ErrorKind::kInvalid, "--range: --size, of the body, has to be as much at least"));
    return put_on(common, make_get(get));
  };
  const auto make_pushes = [&] {
    push.way = *parse_push_way(way);
    return make_push(push);
  };
  const auto run_mixed = [&] {
    push.repository = pull.repository;
    return put_on(common, make_mixed(make_pull(pull), make_pushes(), push_percent));
  };
  const auto add_push = [&](Command& command) {
    command.option("--size", push.size_bytes, "bytes of a blob").between(64, std::uint64_t{1} << 34);
    command.option("--way", way, "single, monolithic, streamed or chunked")
        .one_of({"single", "monolithic", "streamed", "chunked"});
    command.option("--chunk", push.chunk_bytes, "bytes of a chunk").between(1, std::uint64_t{1} << 34);
  };
  const auto add_pull = [&](Command& command) {
    command.option("REPOSITORY", pull.repository, "of the image").required();
    command.option("--reference", pull.reference, "tag or digest").required();
    command.option("--parallel", pull.parallel, "blobs at once").between(1, 64);
    command.flag("--verify", pull.verify, "check the digest of every body");
  };
  return run_program("wherry-load", "load on a registry", argc, argv, [&](Command& program) {
    auto gets = program.command("get", "GET paths again and again, in turn", run_get);
    common.add_to(gets);
    gets.option("PATH", get.paths, "such as /v2/").required();
    gets.option("--method", get.method, "GET or HEAD").one_of({"GET", "HEAD"});
    gets.option("--header", headers, "\"Name: value\"").one_value_each();
    gets.option("--range", get.range_bytes, "so many bytes from random places");
    gets.option("--size", get.size_bytes, "bytes of the body that --range is of");
    gets.option("--verify", get.verify, "the digest that every body must have");

    auto pulls = program.command("pull", "pull an image: manifest, then config and layers in parallel",
                                 [&] { return put_on(common, make_pull(pull)); });
    common.add_to(pulls);
    add_pull(pulls);

    auto pushes = program.command("push", "push blobs", [&] { return put_on(common, make_pushes()); });
    common.add_to(pushes);
    pushes.option("REPOSITORY", push.repository, "where they go").required();
    add_push(pushes);

    auto mixed = program.command("mixed", "pulls of an image with pushes among them", run_mixed);
    common.add_to(mixed);
    add_pull(mixed);
    add_push(mixed);
    mixed.option("--pushes", push_percent, "percent").between(0, 100);

    auto mounts = program.command("mount", "mount a blob into new repositories",
                                  [&] { return put_on(common, make_mount(mount)); });
    common.add_to(mounts);
    mounts.option("REPOSITORY", mount.repository, "the new ones' name, a number is added").required();
    mounts.option("--from", mount.from, "where the blob is").required();
    mounts.option("--digest", mount.digest, "the blob").required();

    auto idles = program.command("idle", "connections that say nothing until standard input ends",
                                 [&] { return idle(common, get.paths.empty() ? "/v2/" : get.paths[0]); });
    common.add_to(idles);
    idles.option("PATH", get.paths, "asked for once on each; /v2/ if left out");
  });
}
