// Buffer: 256 KiB on their way from a socket to a file, from a free list.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace wherry {

/// Owns 256 KiB of page-aligned memory and says how much of it is filled. Movable; goes back to a free list when it is
/// dropped, on whatever thread.
class Buffer {
 public:
  static constexpr std::size_t kBytes = std::size_t{256} << 10;
  static constexpr std::size_t kKeptBuffers = 32;  ///< free ones kept; the rest goes back to the allocator

  /// An empty one, from the free list. O(1), a short lock.
  static Buffer take();

  Buffer() = default;  ///< has no memory: for moving into
  Buffer(Buffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    if (this != &other) {
      give_back();
      memory_ = std::exchange(other.memory_, nullptr);
      size_ = std::exchange(other.size_, 0);
    }
    return *this;
  }
  ~Buffer() { give_back(); }

  /// The room behind what is filled: write there, then say how much by fill().
  std::span<std::byte> space() const { return {memory_ + size_, memory_ == nullptr ? 0 : kBytes - size_}; }
  void fill(std::size_t bytes) { size_ += bytes; }
  /// Copies as much as there is room for; gives how many bytes that were.
  std::size_t append(std::span<const std::byte> bytes);

  std::span<const std::byte> bytes() const { return {memory_, size_}; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  bool full() const { return size_ == kBytes; }
  void clear() { size_ = 0; }

 private:
  void give_back() noexcept;

  std::byte* memory_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace wherry
