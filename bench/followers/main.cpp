// wherry-followers: what bench/feed measures with. One JSON line on standard output; exit code 1 when something did not
// come.
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "bench/followers/append.h"
#include "bench/followers/crowd.h"
#include "bench/followers/light_follower.h"
#include "bench/followers/state.h"
#include "common/base/clock.h"
#include "common/config/command.h"
#include "common/oci/hasher.h"

namespace wherry::bench {
namespace {

using Json = nlohmann::ordered_json;

int failed(const Error& error) {
  std::fprintf(stderr, "wherry-followers: %s\n", error.to_string().c_str());
  return 1;
}

int said(const Json& json) {
  std::printf("%s\n", json.dump().c_str());
  return 0;
}

/// The digest of a request's body.
std::string digest_of(const std::string& request) {
  Hasher hasher;
  hasher.update(std::string_view(request).substr(request.find("\r\n\r\n") + 4));
  return hasher.finish().to_string();
}

/// One push after the other; after each, `reader` is asked for the tag until it has the new digest.
int race(const Pushes& pushes, const std::string& reader, std::uint64_t pause_us) {
  const auto requests = push_requests(pushes);
  if (!requests) return failed(requests.error());
  auto pusher = Plain::connect(pushes.server);
  if (!pusher) return failed(pusher.error());
  auto asker = Plain::connect(reader);
  if (!asker) return failed(asker.error());
  std::vector<std::string> digests;
  for (const std::string& request : *requests) digests.push_back(digest_of(request));
  const std::string question = fmt::format(
      "HEAD /v2/{}/manifests/{} HTTP/1.1\r\nHost: {}\r\nAccept: "
      "application/vnd.oci.image.manifest.v1+json\r\n\r\n",
      pushes.repository, pushes.tag, reader);
  const Clock& clock = Clock::system();
  Histogram push;
  Histogram late;
  std::uint64_t questions = 0;
  for (std::uint64_t i = 0; i < pushes.count; ++i) {
    const Monotonic begin = clock.monotonic();
    if (auto sent = pusher->send((*requests)[i % requests->size()]); !sent) return failed(sent.error());
    const auto pushed = pusher->answer(false);
    if (!pushed) return failed(pushed.error());
    if (pushed->status != 201) return failed(Error(ErrorKind::kUpstream, "a push was answered {}", pushed->status));
    const Monotonic answered = clock.monotonic();
    push.add(answered - begin);
    while (true) {
      if (auto sent = asker->send(question); !sent) return failed(sent.error());
      const auto answer = asker->answer(true);
      if (!answer) return failed(answer.error());
      ++questions;
      if (answer->status == 200 && answer->digest == digests[i % digests.size()]) break;
      if (clock.monotonic() - answered > std::chrono::seconds(60))
        return failed(Error(ErrorKind::kTimeout, "push {} has not arrived after a minute", i));
      if (pause_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(pause_us));
    }
    late.add(clock.monotonic() - answered);
  }
  return said({{"pushes", pushes.count},
               {"questions", questions},
               {"push_ms", Json::parse(push.to_json())},
               {"late_ms", Json::parse(late.to_json())}});
}

int crowd(const CrowdOptions& options) {
  const auto tally = run_crowd(options);
  if (!tally) return failed(tally.error());
  return said({{"followers", options.followers},
               {"pushes", options.pushes.count},
               {"arrived", tally->arrived},
               {"seconds", tally->seconds},
               {"server_cpu_seconds", tally->server_cpu_seconds},
               {"client_cpu_seconds", tally->client_cpu_seconds},
               {"late_ms", Json::parse(tally->late.to_json())}});
}

/// From position 1 up to `to`.
int stream(const std::string& server, std::uint64_t to) {
  const Clock& clock = Clock::system();
  const Monotonic begin = clock.monotonic();
  auto follower = LightFollower::connect(server, 1, true);
  if (!follower) return failed(follower.error());
  std::uint64_t at = 0;
  while (at < to) {
    auto drained = follower->drain([&](std::uint64_t position, std::uint8_t kind) {
      if (kind != 0) at = position;
    });
    if (!drained) return failed(drained.error());
  }
  return said({{"entries", at},
               {"bytes", follower->bytes()},
               {"seconds", std::chrono::duration<double>(clock.monotonic() - begin).count()},
               {"client_cpu_seconds", cpu_seconds_of(static_cast<std::uint64_t>(::getpid()))}});
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  using namespace wherry;
  using namespace wherry::bench;
  CrowdOptions options;
  Pushes& pushes = options.pushes;
  std::string reader;
  std::string data;
  std::string digest;
  std::uint64_t pause_us = 100;
  std::uint64_t to = 0;
  std::uint64_t entries = 0;
  const auto add_pushes = [&](Command& command) {
    command.option("--server", pushes.server, "HOST:PORT of the master").required();
    command.option("--repository", pushes.repository, "that is pushed to").required();
    command.option("--tag", pushes.tag, "that is pushed").required();
    command.option("--manifest", pushes.manifests, "files, pushed in turn").required().one_value_each();
    command.option("--pushes", pushes.count, "how many");
  };
  return run_program("wherry-followers", "followers of a feed", argc, argv, [&](Command& program) {
    auto races = program.command("race", "push a tag and ask another server for it until that one knows",
                                 [&] { return race(pushes, reader, pause_us); });
    add_pushes(races);
    races.option("--reader", reader, "HOST:PORT of who is asked").required();
    races.option("--pause", pause_us, "microseconds between its questions");

    auto crowds = program.command("crowd", "many followers and one who pushes", [&] { return crowd(options); });
    add_pushes(crowds);
    crowds.option("--followers", options.followers, "how many").between(0, 8000);
    crowds.option("--rate", options.per_second, "pushes a second");
    crowds.option("--server-pid", options.server_pid, "of the process whose CPU time is taken");

    auto streams =
        program.command("stream", "one follower, from position 1", [&] { return stream(pushes.server, to); });
    streams.option("--server", pushes.server, "HOST:PORT").required();
    streams.option("--to", to, "the last position").required();

    auto appends = program.command("append", "set tags in the store of a master that does not run", [&] {
      const auto done = append_tags(data, pushes.repository, digest, entries);
      return done ? 0 : failed(done.error());
    });
    appends.option("--data", data, "its data directory").required();
    appends.option("--repository", pushes.repository, "of the tags").required();
    appends.option("--digest", digest, "that they name").required();
    appends.option("--entries", entries, "how many").required();

    auto states = program.command("state", "the whole state of names of a server that does not run", [&] {
      const auto state = state_of(data);
      return state ? said(*state) : failed(state.error());
    });
    states.option("--data", data, "its data directory").required();
  });
}
