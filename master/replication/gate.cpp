#include "master/replication/gate.h"

#include <algorithm>

namespace wherry::replication {
namespace {

constexpr std::uint64_t kLeastPieceBytes = 4096;
constexpr std::uint64_t kPiecesASecond = 4;

}  // namespace

Result<void> Gate::check() const {
  if (shut_) return Error(ErrorKind::kCancelled, "the execution was stopped");
  if (!in_window())
    return Error(ErrorKind::kUnavailable, "the policy's time window is over; it goes on in the next one");
  return {};
}

Task<void> Gate::spend(std::uint64_t bytes) {
  if (budget_ != nullptr) co_await budget_->spend(bytes);
}

std::uint64_t Gate::piece_bytes() const {
  if (bytes_per_second_ == 0) return Buffer::kBytes;
  return std::clamp<std::uint64_t>(bytes_per_second_ / kPiecesASecond, kLeastPieceBytes, Buffer::kBytes);
}

Task<Result<Buffer>> GatedBody::read(std::uint64_t offset, std::uint64_t want) {
  auto open = gate_.check();
  if (!open) co_return open.error();
  auto piece = co_await body_->read(offset, std::min(want, gate_.piece_bytes()));
  if (!piece) co_return piece.error();
  co_await gate_.spend(piece->size());
  open = gate_.check();
  if (!open) co_return open.error();
  co_return std::move(*piece);
}

}  // namespace wherry::replication
