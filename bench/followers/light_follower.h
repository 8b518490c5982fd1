// LightFollower: reads the feed's stream and sees where its entries are, no more.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "bench/followers/plain.h"
#include "common/feed/record.h"

namespace wherry::bench {

class LightFollower {
 public:
  /// An entry's position and kind; with kind 0 the position is a signed head's.
  using OnRecord = std::function<void(std::uint64_t position, std::uint8_t kind)>;

  /// Asks for the feed from that position on. `blocking`: how drain() reads.
  static Result<LightFollower> connect(const std::string& host_port, std::uint64_t from, bool blocking);

  int fd() const { return fd_.get(); }
  std::uint64_t bytes() const { return bytes_; }
  /// Reads once (blocking) or all that is there. Errors: kUpstream when the stream ends or is none.
  Result<void> drain(const OnRecord& on_record);

 private:
  LightFollower(UniqueFd fd, bool blocking) : fd_(std::move(fd)), blocking_(blocking) {}
  Result<void> take(std::string_view piece, const OnRecord& on_record);
  /// Takes the chunked coding off; false when it is none.
  bool unchunk(std::string_view piece);

  UniqueFd fd_;
  bool blocking_;
  std::string head_;  // of the answer, until it is whole
  bool has_head_ = false;
  std::string line_;  // of a chunk's size, until it is whole
  std::uint64_t left_ = 0;
  std::string payload_;
  feed::RecordReader reader_;
  std::uint64_t bytes_ = 0;
};

}  // namespace wherry::bench
