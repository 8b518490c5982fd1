// BlobCache: open blobs kept for the next reader, a part for each loop.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

#include "common/oci/digest.h"
#include "common/store/open_blob.h"

namespace wherry::store {

/// Least-recently-used open blobs, bounded, one list for each thread that asks. A list has a flag that only retire()
/// and a neighbour's look ever contend for: a loop that finds it taken has a miss, it never waits.
class BlobCache {
 public:
  /// `bound` blobs for each thread that asks.
  explicit BlobCache(std::size_t bound) : bound_(bound) {}
  ~BlobCache();
  BlobCache(const BlobCache&) = delete;
  BlobCache& operator=(const BlobCache&) = delete;

  /// The blob from this thread's list, or a neighbour's (it is then in both); or null.
  std::shared_ptr<OpenBlob> find(const Digest& digest);

  /// To be read before a file is opened and given back with it: a blob that was retired meanwhile is not kept.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  void insert(std::shared_ptr<OpenBlob> blob, std::uint64_t epoch);

  /// Drops it from all lists. Call it after the file has lost its name.
  void retire(const Digest& digest);

 private:
  static constexpr std::size_t kThreads = 256;  // beyond so many threads that ever asked, the rest goes without

  struct List {
    using Order = std::list<std::shared_ptr<OpenBlob>>;
    std::atomic_flag busy;
    Order order;  // the latest used first
    std::unordered_map<Digest, Order::iterator> index;
  };
  class Hold;

  List* mine();
  std::shared_ptr<OpenBlob> find_in(List& list, const Digest& digest);

  const std::size_t bound_;
  std::atomic<std::uint64_t> epoch_{0};
  std::array<std::atomic<List*>, kThreads> lists_{};
};

}  // namespace wherry::store
