#include "node/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/config/text.h"

namespace wherry::node {
namespace {

constexpr std::size_t kLineBarWidth = 30;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

double seconds_since(Monotonic then) {
  return std::chrono::duration<double>(Clock::system().monotonic() - then).count();
}

}  // namespace

void Progress::begin(const std::string& image) {
  image_ = image;
  begun_ = Clock::system().monotonic();
  done_bytes_ = expected_bytes_ = 0;
  manifests_ = blobs_ = expected_blobs_ = 0;
  if (terminal_) draw();
}

void Progress::expect(std::uint64_t bytes) {
  expected_bytes_ += bytes;
  ++expected_blobs_;
}

void Progress::draw() const {
  const double share =
      expected_bytes_ > 0 ? static_cast<double>(done_bytes_) / static_cast<double>(expected_bytes_) : 0;
  const double seconds = std::max(seconds_since(begun_), 0.001);
  std::string line =
      fmt::format("{} {:3.0f}%  {} of {}  {}/s  {}/{} blobs  {}", bar(share, kLineBarWidth), share * 100,
                  human_bytes(static_cast<double>(done_bytes_)), human_bytes(static_cast<double>(expected_bytes_)),
                  human_bytes(static_cast<double>(done_bytes_) / seconds), blobs_, expected_blobs_, image_);
  line.resize(std::min(line.size(), terminal_width() - 1));
  std::fprintf(stderr, "\r%s\x1b[K", line.c_str());
}

void Progress::wipe() const {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void Progress::say(const std::string& line) {
  wipe();
  std::fprintf(stderr, "%s\n", line.c_str());
}

void Progress::end(bool well) {
  if (!well) {
    wipe();
    return;
  }
  say(fmt::format("{}: {} manifest{}, {} blob{}, {} in {:.1f} s", image_, manifests_, manifests_ == 1 ? "" : "s",
                  blobs_, blobs_ == 1 ? "" : "s", human_bytes(static_cast<double>(done_bytes_)),
                  seconds_since(begun_)));
}

Task<void> Progress::redraw() {
  while (terminal_ && !stopped_) {
    if (!image_.empty()) draw();
    co_await sleeper_.sleep(kRedrawTime);
  }
}

void Progress::stop() {
  stopped_ = true;
  sleeper_.wake();
}

}  // namespace wherry::node
