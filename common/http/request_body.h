// RequestBody: the bytes of a request that are read while they are sent.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/async/task.h"
#include "common/base/buffer.h"
#include "common/base/error.h"

namespace wherry::http {

/// Bytes that may be read from any place, so that a request can be sent again; one read at a time, on one loop.
class RequestBody {
 public:
  virtual ~RequestBody() = default;
  /// How many there are.
  virtual std::uint64_t size() const = 0;
  /// Those from `offset` (before the end) on: at least one, at most `want` and what one buffer holds. May wait, for a
  /// disk or for a limit of its own. An error breaks the request off, and is what it fails with.
  virtual Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) = 0;
};

/// A stretch of another body, which outlives it.
class BodyStretch final : public RequestBody {
 public:
  BodyStretch(RequestBody& whole, std::uint64_t first, std::uint64_t count)
      : whole_(whole), first_(first), count_(count) {}
  std::uint64_t size() const override { return count_; }
  Task<Result<Buffer>> read(std::uint64_t offset, std::uint64_t want) override {
    return whole_.read(first_ + offset, std::min(want, count_ - offset));
  }

 private:
  RequestBody& whole_;
  std::uint64_t first_;
  std::uint64_t count_;
};

}  // namespace wherry::http
