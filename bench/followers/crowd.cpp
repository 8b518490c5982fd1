#include "bench/followers/crowd.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/followers/light_follower.h"
#include "common/base/clock.h"
#include "common/feed/change.h"

namespace wherry::bench {
namespace {

constexpr std::chrono::seconds kPatience{30};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error(ErrorKind::kIo, "{} cannot be read", path);
  return text.str();
}

/// The newest position, as the beginning of a stream says.
Result<std::uint64_t> newest_position(const std::string& server) {
  auto follower = LightFollower::connect(server, 1, true);
  if (!follower) return follower.error();
  std::uint64_t newest = 0;
  while (newest == 0) {
    auto drained = follower->drain([&](std::uint64_t position, std::uint8_t kind) {
      if (kind == 0 && newest == 0) newest = position;
    });
    if (!drained) return drained.error();
  }
  return newest;
}

}  // namespace

Result<std::vector<std::string>> push_requests(const Pushes& pushes) {
  std::vector<std::string> requests;
  for (const std::string& path : pushes.manifests) {
    auto manifest = read_file(path);
    if (!manifest) return manifest.error();
    requests.push_back(fmt::format("PUT /v2/{}/manifests/{} HTTP/1.1\r\nHost: {}\r\nContent-Type: "
                                   "application/vnd.oci.image.manifest.v1+json\r\nContent-Length: {}\r\n\r\n",
                                   pushes.repository, pushes.tag, pushes.server, manifest->size()) +
                       *manifest);
  }
  return requests;
}

double cpu_seconds_of(std::uint64_t pid) {
  double total = 0;
  std::error_code error;
  for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::ifstream stat(task.path() / "schedstat");
    double ran_ns = 0;
    if (stat >> ran_ns) total += ran_ns / 1e9;
  }
  return total;
}

Result<CrowdTally> run_crowd(const CrowdOptions& options) {
  const auto requests = push_requests(options.pushes);
  if (!requests) return requests.error();
  auto pusher = Plain::connect(options.pushes.server);
  if (!pusher) return pusher.error();
  const auto from = newest_position(options.pushes.server);
  if (!from) return from.error();
  const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  const auto add = [&](int fd, std::uint64_t number) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = number;
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event);
  };
  std::vector<LightFollower> followers;
  followers.reserve(options.followers);
  for (std::uint64_t i = 0; i < options.followers; ++i) {
    auto follower = LightFollower::connect(options.pushes.server, *from + 1, false);
    if (!follower) return follower.error();
    followers.push_back(std::move(*follower));
    add(followers.back().fd(), i);
  }
  add(pusher->fd(), options.followers);

  const std::uint64_t count = options.pushes.count;
  const Clock& clock = Clock::system();
  std::vector<std::vector<Monotonic>> arrivals(followers.size());
  std::vector<Monotonic> answers;
  CrowdTally tally;
  std::uint64_t welcomed = 0;  // streams whose first head came: then all are in their places
  std::vector<bool> is_welcome(followers.size());
  bool begun = false;
  Monotonic begin{};
  double server_cpu = 0;
  double client_cpu = 0;
  std::uint64_t sent = 0;
  Monotonic last_event = clock.monotonic();
  const auto between = std::chrono::nanoseconds(std::llround(1e9 / options.per_second));

  while (answers.size() < count || tally.arrived < count * followers.size()) {
    if (!begun && welcomed == followers.size()) {
      begun = true;
      begin = clock.monotonic();
      server_cpu = cpu_seconds_of(options.server_pid);
      client_cpu = cpu_seconds_of(static_cast<std::uint64_t>(::getpid()));
    }
    Monotonic now = clock.monotonic();
    int wait_ms = 1000;
    if (begun && sent < count && sent == answers.size()) {
      const Monotonic due = begin + between * sent;
      if (now >= due) {
        auto pushed = pusher->send((*requests)[sent % requests->size()]);
        if (!pushed) return pushed.error();
        ++sent;
      } else {
        wait_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(due - now).count());
      }
    }
    std::array<epoll_event, 512> events;
    const int ready = ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    now = clock.monotonic();
    if (ready > 0) last_event = now;
    if (now - last_event > kPatience)
      return Error(ErrorKind::kTimeout, "of {} entries at {} followers {} came", count, followers.size(),
                   tally.arrived);
    // The push's answer first: what it told of cannot be late before it.
    for (int i = 0; i < ready; ++i) {
      if (events[static_cast<std::size_t>(i)].data.u64 != options.followers) continue;
      auto answer = pusher->answer(false);
      if (!answer) return answer.error();
      if (answer->status != 201) return Error(ErrorKind::kUpstream, "a push was answered {}", answer->status);
      answers.push_back(clock.monotonic());
    }
    for (int i = 0; i < ready; ++i) {
      const std::uint64_t number = events[static_cast<std::size_t>(i)].data.u64;
      if (number == options.followers) continue;
      auto drained = followers[number].drain([&](std::uint64_t, std::uint8_t kind) {
        if (kind == 0 && !is_welcome[number]) {
          is_welcome[number] = true;
          ++welcomed;
        }
        if (kind != static_cast<std::uint8_t>(feed::ChangeKind::kTagSet)) return;
        arrivals[number].push_back(clock.monotonic());
        ++tally.arrived;
      });
      if (!drained) return drained.error();
    }
  }
  tally.seconds = std::chrono::duration<double>(clock.monotonic() - begin).count();
  tally.server_cpu_seconds = cpu_seconds_of(options.server_pid) - server_cpu;
  tally.client_cpu_seconds = cpu_seconds_of(static_cast<std::uint64_t>(::getpid())) - client_cpu;
  for (const auto& of_one : arrivals)
    for (std::size_t i = 0; i < of_one.size() && i < answers.size(); ++i)
      tally.late.add(std::max(Duration(0), Duration(of_one[i] - answers[i])));
  return tally;
}

}  // namespace wherry::bench
