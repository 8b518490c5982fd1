#include "common/base/buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

namespace wherry {
namespace {

constexpr std::size_t kPageBytes = 4096;

struct FreeList {
  FreeList() { kept.reserve(Buffer::kKeptBuffers); }
  std::mutex mutex;
  std::vector<std::byte*> kept;
};

FreeList& free_list() {
  static auto* const list = new FreeList;  // buffers may be dropped while the process ends
  return *list;
}

}  // namespace

Buffer Buffer::take() {
  Buffer buffer;
  FreeList& list = free_list();
  {
    const std::lock_guard lock(list.mutex);
    if (!list.kept.empty()) {
      buffer.memory_ = list.kept.back();
      list.kept.pop_back();
      return buffer;
    }
  }
  buffer.memory_ = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, kBytes));
  if (buffer.memory_ == nullptr) throw std::bad_alloc();
  return buffer;
}

std::size_t Buffer::append(std::span<const std::byte> bytes) {
  const std::size_t taken = std::min(bytes.size(), space().size());
  if (taken != 0) std::memcpy(memory_ + size_, bytes.data(), taken);
  size_ += taken;
  return taken;
}

void Buffer::give_back() noexcept {
  std::byte* memory = std::exchange(memory_, nullptr);
  size_ = 0;
  if (memory == nullptr) return;
  FreeList& list = free_list();
  {
    const std::lock_guard lock(list.mutex);
    if (list.kept.size() < kKeptBuffers) {
      list.kept.push_back(memory);
      return;
    }
  }
  std::free(memory);
}

}  // namespace wherry
