// Attempts: how often a source that breaks is tried again.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/async/sleep.h"
#include "common/async/task.h"

namespace wherry::node {

/// As long as tries bring something, there is another; in between lies a pause that grows with those that brought
/// nothing.
class Attempts {
 public:
  static constexpr int kMostWithoutProgress = 4;
  /// A try that brought less counts as none: a source must not keep a fetch alive byte by byte.
  static constexpr std::uint64_t kLeastProgressBytes = std::uint64_t{16} << 10;
  static constexpr std::chrono::milliseconds kFirstPause{200};

  bool used_up() const { return idle_ >= kMostWithoutProgress; }
  /// A try broke after it brought that many bytes.
  void broke(std::uint64_t brought) { idle_ = brought >= kLeastProgressBytes ? 1 : idle_ + 1; }
  /// Waits before the next try; not before the first. Anywhere in the upper half of what it may be: after an outage
  /// not everybody comes at once.
  Task<void> pause() const;

 private:
  int idle_ = 0;
};

}  // namespace wherry::node
