// wherry-limits: what this machine itself can do, beside which a server's figures are read. One JSON line; each figure
// is the best of some runs.
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "common/config/command.h"

namespace wherry::bench {
namespace {

constexpr std::size_t kBytes = 64 << 20;
constexpr int kRuns = 8;

/// Bytes a second of `work` on kBytes, the best of kRuns; 0 when it fails.
template <class Work>
double best(const Work& work) {
  double most = 0;
  for (int i = 0; i < kRuns; ++i) {
    const auto begin = Clock::system().monotonic();
    if (!work()) return 0;
    const std::chrono::duration<double> took = Clock::system().monotonic() - begin;
    most = std::max(most, static_cast<double>(kBytes) / took.count());
  }
  return most;
}

double sha256(const std::string& bytes) {
  return best([&] {
    unsigned char digest[EVP_MAX_MD_SIZE];
    return EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) == 1;
  });
}

double copy(const std::string& bytes) {
  std::string other(bytes.size(), '\0');
  return best([&] {
    std::memcpy(other.data(), bytes.data(), bytes.size());
    asm volatile("" ::"r"(other.data()) : "memory");  // or the compiler leaves the copy out
    return true;
  });
}

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t wrote = ::write(fd, bytes.data() + at, bytes.size() - at);
    if (wrote <= 0) return false;
    at += static_cast<std::size_t>(wrote);
  }
  return true;
}

double write_and_sync(const std::string& bytes, const std::string& path) {
  return best([&] {
    const UniqueFd fd(::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600));
    return fd && write_all(fd.get(), bytes) && ::fdatasync(fd.get()) == 0;
  });
}

/// One file to one connection on loopback by sendfile(2), read with MSG_TRUNC: the least that a server can spend.
struct Loopback {
  double bytes_per_second = 0;
  double sender_cpu_per_gib = 0;
};

double thread_cpu() {
  rusage used{};
  ::getrusage(RUSAGE_THREAD, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

Loopback loopback(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener.get(), raw, length) != 0 || ::listen(listener.get(), 1) != 0) return {};
  ::getsockname(listener.get(), raw, &length);
  std::thread reader([&] {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), raw, length) != 0) return;
    std::string waste(1 << 18, '\0');
    while (::recv(socket.get(), waste.data(), waste.size(), MSG_TRUNC) > 0) continue;
  });
  UniqueFd socket(::accept(listener.get(), nullptr, nullptr));
  const double before = thread_cpu();
  Loopback speed;
  speed.bytes_per_second = best([&] {
    off_t at = 0;
    while (at < static_cast<off_t>(kBytes))
      if (::sendfile(socket.get(), file.get(), &at, kBytes - static_cast<std::size_t>(at)) <= 0) return false;
    return true;
  });
  const double gib = static_cast<double>(kBytes) * kRuns / static_cast<double>(1U << 30);
  speed.sender_cpu_per_gib = (thread_cpu() - before) / gib;
  socket.reset();
  reader.join();
  return speed;
}

int measure(const std::string& area) {
  const std::string path = area + "/wherry-limits." + std::to_string(::getpid());
  const std::string bytes(kBytes, 'w');
  const double written = write_and_sync(bytes, path);
  const Loopback sent = loopback(path);
  ::unlink(path.c_str());
  std::printf(
      "{\"sha256_bytes_per_second\":%.0f,\"copy_bytes_per_second\":%.0f,\"write_and_sync_bytes_per_second\":%.0f,"
      "\"sendfile_bytes_per_second\":%.0f,\"sendfile_cpu_seconds_per_gib\":%.4f}\n",
      sha256(bytes), copy(bytes), written, sent.bytes_per_second, sent.sender_cpu_per_gib);
  return 0;
}

}  // namespace
}  // namespace wherry::bench

int main(int argc, char** argv) {
  std::string area = "/tmp";
  return wherry::run_program(
      "wherry-limits", "what this machine itself can do", argc, argv,
      [&](wherry::Command& program) { program.option("--area", area, "folder on the disk that servers write to"); },
      [&] { return wherry::bench::measure(area); });
}
