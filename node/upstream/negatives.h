// Negatives: what an upstream said is not there, believed for a moment.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::node {

/// Answers of "not there" and "refused" by what was asked for. Bounded; any thread, a short lock, reached only when a
/// thing is not held.
class Negatives {
 public:
  static constexpr std::size_t kMost = 4096;  ///< When full, all are forgotten: they live for seconds.

  explicit Negatives(const Clock& clock = Clock::system()) : clock_(clock) {}

  std::optional<Error> find(const std::string& key);
  /// Does nothing for other kinds of errors, and when `age` is nothing.
  void keep(const std::string& key, const Error& error, std::chrono::milliseconds age);

 private:
  struct Entry {
    Error error;
    Monotonic expires;
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace wherry::node
