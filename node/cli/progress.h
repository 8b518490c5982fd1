// Progress: what is seen of a pull: a bar on a terminal, a line for each image that is done elsewhere.
#pragma once

#include <cstdint>
#include <string>

#include "common/async/sleep.h"
#include "common/base/clock.h"

namespace wherry::node {

/// Writes to stderr. One loop.
class Progress {
 public:
  static constexpr std::chrono::milliseconds kRedrawTime{100};

  explicit Progress(bool terminal) : terminal_(terminal) {}

  void begin(const std::string& image);
  void expect(std::uint64_t bytes);
  void received(std::uint64_t bytes) { done_bytes_ += bytes; }
  void manifest_done() { ++manifests_; }
  void blob_done() { ++blobs_; }
  /// What came of it counts as nothing: it is tried again.
  void take_back(std::uint64_t bytes) { done_bytes_ -= bytes; }
  void end(bool well);
  /// A line of its own, above the bar.
  void say(const std::string& line);

  /// Redraws until stop(); returns at once where there is no terminal.
  Task<void> redraw();
  void stop();

 private:
  void draw() const;
  void wipe() const;

  const bool terminal_;
  std::string image_;
  Monotonic begun_{};
  std::uint64_t done_bytes_ = 0;
  std::uint64_t expected_bytes_ = 0;
  std::size_t manifests_ = 0;
  std::size_t blobs_ = 0;
  std::size_t expected_blobs_ = 0;
  bool stopped_ = false;
  Sleeper sleeper_;
};

}  // namespace wherry::node
