// Body: the bytes of a large response, sent from a file by the kernel.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "common/async/task.h"
#include "common/base/error.h"

namespace wherry::http {

/// A file whose bytes may not all be there, checked or in memory yet. The sender asks for the next stretch, sends it
/// with sendfile(2) and asks again.
class Body {
 public:
  virtual ~Body() = default;
  virtual int file() const = 0;
  virtual std::uint64_t size() const = 0;

  /// How many bytes from `offset` (at least 1, at most `want`) may be sent now without waiting for anything; nothing
  /// when ready() has to be awaited. `last` is where the response ends: a Body that is not verified yet holds back its
  /// last byte until it is.
  virtual std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want,
                                                         std::uint64_t end) = 0;
  virtual Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) = 0;

  /// Whether it is still on its way, so that it is not here for other uses yet.
  virtual bool is_coming() const { return false; }

  /// Told when the file could not give what was granted: it is shorter than it was, or cannot be read.
  virtual Task<void> could_not_be_sent() { co_return; }
};

/// Another body, for who changes a part of what it does.
class BodyAround : public Body {
 public:
  explicit BodyAround(std::unique_ptr<Body> body) : body_(std::move(body)) {}
  int file() const override { return body_->file(); }
  std::uint64_t size() const override { return body_->size(); }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return body_->try_ready(offset, want, end);
  }
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    return body_->ready(offset, want, end);
  }
  bool is_coming() const override { return body_->is_coming(); }
  Task<void> could_not_be_sent() override { return body_->could_not_be_sent(); }

 protected:
  /// Closes it, before the rest goes.
  void end_body() { body_.reset(); }

 private:
  std::unique_ptr<Body> body_;
};

}  // namespace wherry::http
