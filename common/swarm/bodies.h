// Bodies of blobs that are still on their way, for nodes that share them. Internal to this room.
#pragma once

#include <algorithm>
#include <memory>

#include "common/http/body.h"
#include "common/swarm/session.h"

namespace wherry::swarm {

/// A blob that ends once it is whole, unless less than `least` or a quarter is left by then: the rest is had together.
class UntilWhole final : public http::BodyAround {
 public:
  UntilWhole(std::unique_ptr<http::Body> body, std::uint64_t least)
      : BodyAround(std::move(body)), least_(std::max(least, size() / 4)) {}
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    if (!is_coming() && end - offset >= least_)
      return Result<std::uint64_t>(Error(ErrorKind::kUnavailable, "the rest of the blob is shared"));
    return BodyAround::try_ready(offset, want, end);
  }

 private:
  const std::uint64_t least_;
};

/// A blob for who is sent pieces of it that are in its file and right.
class ArrivedPieces final : public http::Body {
 public:
  explicit ArrivedPieces(std::shared_ptr<const Transfer> transfer) : transfer_(std::move(transfer)) {}
  int file() const override { return transfer_->file(); }
  std::uint64_t size() const override { return transfer_->torrent().size(); }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t, std::uint64_t want, std::uint64_t) override {
    return Result<std::uint64_t>(want);
  }
  Task<Result<std::uint64_t>> ready(std::uint64_t, std::uint64_t want, std::uint64_t) override { co_return want; }

 private:
  const std::shared_ptr<const Transfer> transfer_;
};

}  // namespace wherry::swarm
