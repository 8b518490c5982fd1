// bench/load: closed-loop load on a registry. One JSON line on standard output says what was done and how long it took.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "bench/load/http_client.h"
#include "common/base/clock.h"
#include "common/config/command.h"

namespace wherry::bench {
namespace {

struct Options {
  std::string server;
  std::string target;   ///< get: path; push: repository
  std::string headers;  ///< of a get: lines "Name: value", one for each --header
  std::uint64_t clients = 1;
  std::uint64_t requests = 100;
  std::uint64_t size_bytes = 1'000'000;
  std::string verify;  ///< the digest that every body of a get must have
};

/// What all clients did. The latencies are of whole requests (of a push: POST and PUT together).
struct Tally {
  std::mutex mutex;
  std::vector<double> milliseconds;
  std::vector<double> first_byte_milliseconds;
  std::uint64_t body_bytes = 0;
  std::string first_error;
  std::size_t errors = 0;
};

using OneRequest = std::function<Result<Answer>(HttpClient&, std::size_t number)>;

Result<Answer> get(HttpClient& client, const Options& options) {
  Hasher hasher;
  const bool check = !options.verify.empty();
  auto answer = client.request("GET", options.target, options.headers, {}, check ? &hasher : nullptr);
  if (!answer) return answer;
  if (answer->status != 200) return Error(ErrorKind::kUpstream, "GET answered {}", answer->status);
  if (check && hasher.finish().to_string() != options.verify)
    return Error(ErrorKind::kUpstream, "a wrong body: {}", hasher.finish().to_string());
  return answer;
}

/// A path with its query out of a Location that may be absolute.
std::string path_of(const std::string& location) {
  const auto scheme = location.find("://");
  if (scheme == std::string::npos) return location;
  return location.substr(std::min(location.find('/', scheme + 3), location.size()));
}

/// POST, then PUT with the whole blob: every blob is another one, for it starts with a number of its own.
Result<Answer> push(HttpClient& client, const Options& options, std::string_view bytes, std::size_t number,
                    std::uint64_t salt) {
  std::uint64_t front[2] = {salt, number};
  const std::string_view rest = bytes.substr(sizeof(front));
  Hasher hasher;
  hasher.update(std::string_view(reinterpret_cast<const char*>(front), sizeof(front)));
  hasher.update(rest);
  auto begun = client.request("POST", fmt::format("/v2/{}/blobs/uploads/", options.target), "Content-Length: 0\r\n", {},
                              nullptr);
  if (!begun) return begun;
  if (begun->status != 202) return Error(ErrorKind::kUpstream, "POST answered {}", begun->status);
  std::string target = path_of(begun->location);
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += "digest=" + hasher.finish().to_string();
  const iovec body[2] = {{front, sizeof(front)}, {const_cast<char*>(rest.data()), rest.size()}};
  const std::string headers =
      fmt::format("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", bytes.size());
  auto done = client.request("PUT", target, headers, body, nullptr);
  if (!done) return done;
  if (done->status != 201) return Error(ErrorKind::kUpstream, "PUT answered {}", done->status);
  done->body_bytes = bytes.size();
  return done;
}

void work(const Options& options, const SocketAddress& server, std::atomic<std::size_t>& next, const OneRequest& one,
          Tally& tally) {
  HttpClient client(server);
  std::vector<double> took;
  std::vector<double> first_byte;
  std::uint64_t bytes = 0;
  std::size_t errors = 0;
  std::string first_error;
  while (true) {
    const std::size_t number = next.fetch_add(1);
    if (number >= options.requests) break;
    const auto begin = Clock::system().monotonic();
    auto done = one(client, number);
    took.push_back(std::chrono::duration<double, std::milli>(Clock::system().monotonic() - begin).count());
    if (done) {
      bytes += done->body_bytes;
      first_byte.push_back(std::chrono::duration<double, std::milli>(done->first_byte).count());
    } else if (++errors == 1) {
      first_error = done.error().message();
    }
  }
  const std::lock_guard lock(tally.mutex);
  tally.milliseconds.insert(tally.milliseconds.end(), took.begin(), took.end());
  tally.first_byte_milliseconds.insert(tally.first_byte_milliseconds.end(), first_byte.begin(), first_byte.end());
  tally.body_bytes += bytes;
  tally.errors += errors;
  if (tally.first_error.empty()) tally.first_error = first_error;
}

int run(const Options& options, const OneRequest& one) {
  auto server = SocketAddress::parse(options.server);
  if (!server) {
    std::fprintf(stderr, "load: --server: %s\n", server.error().message().c_str());
    return 64;
  }
  Tally tally;
  std::atomic<std::size_t> next{0};
  const auto begin = Clock::system().monotonic();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < options.clients; ++i)
    threads.emplace_back([&] { work(options, *server, next, one, tally); });
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = Clock::system().monotonic() - begin;
  std::ranges::sort(tally.milliseconds);
  std::ranges::sort(tally.first_byte_milliseconds);
  const auto at = [](const std::vector<double>& sorted, double part) {
    if (sorted.empty()) return 0.0;
    return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
  };
  const nlohmann::ordered_json said = {{"requests", tally.milliseconds.size()},
                                       {"errors", tally.errors},
                                       {"first_error", tally.first_error},
                                       {"body_bytes", tally.body_bytes},
                                       {"seconds", took.count()},
                                       {"p50_ms", at(tally.milliseconds, 0.5)},
                                       {"p99_ms", at(tally.milliseconds, 0.99)},
                                       {"max_ms", at(tally.milliseconds, 1.0)},
                                       {"first_byte_min_ms", at(tally.first_byte_milliseconds, 0.0)},
                                       {"first_byte_p50_ms", at(tally.first_byte_milliseconds, 0.5)},
                                       {"first_byte_p99_ms", at(tally.first_byte_milliseconds, 0.99)},
                                       {"first_byte_max_ms", at(tally.first_byte_milliseconds, 1.0)}};
  std::printf("%s\n", said.dump().c_str());
  return tally.errors == 0 ? 0 : 1;
}

std::string random_bytes(std::uint64_t size) {
  std::string bytes(static_cast<std::size_t>(size), '\0');
  std::mt19937_64 random(1);
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  using namespace wherry::bench;
  Options options;
  std::vector<std::string> headers;
  const auto run_get = [&] {
    for (const std::string& line : headers) options.headers += line + "\r\n";
    return run(options, [&](HttpClient& client, std::size_t) { return get(client, options); });
  };
  const auto run_push = [&] {
    const std::string bytes = random_bytes(options.size_bytes);
    const std::uint64_t salt = std::random_device{}();
    return run(options, [&](HttpClient& client, std::size_t number) {
      return push(client, options, bytes, number, salt << 32 | salt);
    });
  };
  const auto add_common = [&](wherry::Command command, const char* target) {
    command.option("--server", options.server, "HOST:PORT").required();
    command.option("target", options.target, target).required();
    command.option("--clients", options.clients, "connections, a thread each").between(1, 4096);
    command.option("--requests", options.requests, "of all clients together");
  };
  const auto set_up = [&](wherry::Command& program) {
    auto get_command = program.command("get", "GET one path again and again", run_get);
    add_common(get_command, "path");
    get_command.option("--header", headers, "\"Name: value\"");
    get_command.option("--verify", options.verify, "the digest that every body must have");
    auto push_command = program.command("push", "push blobs, each by POST and one PUT", run_push);
    add_common(push_command, "repository");
    push_command.option("--size", options.size_bytes, "bytes of a blob").between(16, std::uint64_t{1} << 32);
  };
  return wherry::run_program("wherry-load", "closed-loop load on a registry", argc, argv, set_up);
}
