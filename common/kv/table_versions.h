// TableVersions: when each table was last written to, for who keeps rows of it and for who watches it.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string_view>
#include <utility>

namespace wherry::kv {

/// A key's first byte: keys that share it are a table.
inline std::uint8_t table_of(std::string_view key) { return key.empty() ? 0 : static_cast<std::uint8_t>(key.front()); }
using Tables = std::bitset<256>;

/// For each table a number that is another one after every transaction that wrote to it. All calls from any thread.
class TableVersions {
 public:
  std::uint64_t of(std::string_view key) const { return versions_[table_of(key)].load(std::memory_order_acquire); }
  /// Once readers of the store see what was written, and before anybody is told that it was.
  void wrote(const Tables& tables) {
    for (std::size_t table = 0; table < tables.size(); ++table)
      if (tables[table]) versions_[table].fetch_add(1, std::memory_order_release);
    const std::lock_guard lock(mutex_);
    for (const auto& [table, changed] : watchers_)
      if (tables[table]) changed();
  }
  /// As KeyValue::watch() has it: the lock is held while a watcher runs, so that none runs once it was replaced.
  void watch(char table, std::function<void()> changed) {
    const std::lock_guard lock(mutex_);
    if (changed)
      watchers_[static_cast<std::uint8_t>(table)] = std::move(changed);
    else
      watchers_.erase(static_cast<std::uint8_t>(table));
  }

 private:
  std::mutex mutex_;
  std::map<std::uint8_t, std::function<void()>> watchers_;
  std::array<std::atomic<std::uint64_t>, 256> versions_{};
};

}  // namespace wherry::kv
