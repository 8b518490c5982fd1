#include "common/store/blob_cache.h"

#include <thread>
#include <utility>

namespace wherry::store {
namespace {

std::size_t this_thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace

/// A list's flag, taken if it was free or, when told to, once it is.
class BlobCache::Hold {
 public:
  enum Manner { kTry, kWait };
  Hold(List& list, Manner manner) : list_(list) {
    while (true) {
      held_ = !list_.busy.test_and_set(std::memory_order_acquire);
      if (held_ || manner == kTry) return;
      std::this_thread::yield();
    }
  }
  ~Hold() {
    if (held_) list_.busy.clear(std::memory_order_release);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  explicit operator bool() const { return held_; }

 private:
  List& list_;
  bool held_ = false;
};

BlobCache::~BlobCache() {
  for (auto& list : lists_) delete list.load(std::memory_order_acquire);
}

BlobCache::List* BlobCache::mine() {
  const std::size_t number = this_thread_number();
  if (number >= kThreads) return nullptr;
  List* list = lists_[number].load(std::memory_order_acquire);
  if (list == nullptr) {
    list = new List;
    lists_[number].store(list, std::memory_order_release);
  }
  return list;
}

std::shared_ptr<OpenBlob> BlobCache::find_in(List& list, const Digest& digest) {
  const Hold hold(list, Hold::kTry);
  if (!hold) return nullptr;
  const auto found = list.index.find(digest);
  if (found == list.index.end()) return nullptr;
  list.order.splice(list.order.begin(), list.order, found->second);
  return *found->second;
}

std::shared_ptr<OpenBlob> BlobCache::find(const Digest& digest) {
  List* own = mine();
  if (own == nullptr) return nullptr;
  if (auto blob = find_in(*own, digest)) return blob;
  const std::uint64_t before = epoch();
  for (auto& slot : lists_) {
    List* list = slot.load(std::memory_order_acquire);
    if (list == nullptr || list == own) continue;
    if (auto blob = find_in(*list, digest)) {
      insert(blob, before);
      return blob;
    }
  }
  return nullptr;
}

void BlobCache::insert(std::shared_ptr<OpenBlob> blob, std::uint64_t epoch) {
  List* list = mine();
  if (list == nullptr || bound_ == 0) return;
  std::shared_ptr<OpenBlob> dropped;  // after the flag is given back
  const Hold hold(*list, Hold::kTry);
  if (!hold || epoch_.load(std::memory_order_acquire) != epoch) return;
  const Digest digest = blob->digest();
  if (const auto found = list->index.find(digest); found != list->index.end()) {
    dropped = std::exchange(*found->second, std::move(blob));
    return;
  }
  if (list->order.size() >= bound_) {
    dropped = std::move(list->order.back());
    list->index.erase(dropped->digest());
    list->order.pop_back();
  }
  list->order.push_front(std::move(blob));
  list->index.emplace(digest, list->order.begin());
}

void BlobCache::retire(const Digest& digest) {
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  for (auto& slot : lists_) {
    List* list = slot.load(std::memory_order_acquire);
    if (list == nullptr) continue;
    std::shared_ptr<OpenBlob> dropped;
    const Hold hold(*list, Hold::kWait);
    const auto found = list->index.find(digest);
    if (found == list->index.end()) continue;
    dropped = std::move(*found->second);
    list->order.erase(found->second);
    list->index.erase(found);
  }
}

}  // namespace wherry::store
