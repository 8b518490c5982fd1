// A small number for each thread.
#pragma once

#include <atomic>
#include <cstddef>

namespace wherry {

/// This thread's own, from 0 in the order in which threads first ask: for choosing among shards that few threads share.
inline std::size_t thread_number() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace wherry
