#include "common/store/block_buffer.h"

#include <cstdlib>
#include <memory>
#include <new>

#include "common/store/blob_row.h"

namespace wherry::store {

std::span<std::byte> block_buffer() {
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  thread_local const std::unique_ptr<std::byte, Free> memory(
      static_cast<std::byte*>(std::aligned_alloc(4096, static_cast<std::size_t>(kBlockBytes))));
  if (!memory) throw std::bad_alloc();
  return {memory.get(), static_cast<std::size_t>(kBlockBytes)};
}

}  // namespace wherry::store
