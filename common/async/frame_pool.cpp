#include "common/async/frame_pool.h"

#include <array>
#include <cstdint>
#include <new>
#include <utility>

namespace wherry {
namespace {

constexpr std::size_t kClassBytes = 64;
constexpr std::size_t kClasses = 32;              // frames up to 2 KiB are kept
constexpr std::uint32_t kKeptFramesAClass = 256;  // at most; the rest goes back to the allocator

struct FreeFrame {
  FreeFrame* next;
};

struct Lists {
  std::array<FreeFrame*, kClasses> heads{};
  std::array<std::uint32_t, kClasses> counts{};
  ~Lists() {
    for (FreeFrame* frame : heads)
      while (frame != nullptr) ::operator delete(std::exchange(frame, frame->next));
  }
};

thread_local Lists lists;

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = (size - 1) / kClassBytes;
  if (index >= kClasses) return ::operator new(size);
  if (FreeFrame* frame = lists.heads[index]; frame != nullptr) {
    lists.heads[index] = frame->next;
    --lists.counts[index];
    return frame;
  }
  return ::operator new((index + 1) * kClassBytes);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size - 1) / kClassBytes;
  if (index >= kClasses || lists.counts[index] >= kKeptFramesAClass) {
    ::operator delete(frame);
    return;
  }
  lists.heads[index] = new (frame) FreeFrame{lists.heads[index]};
  ++lists.counts[index];
}

}  // namespace wherry
