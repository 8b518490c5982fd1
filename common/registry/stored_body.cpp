#include "common/registry/stored_body.h"

namespace wherry::registry {

std::optional<Result<std::uint64_t>> StoredBody::try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t) {
  auto outcome = blob_->try_ready(offset, want);
  if (outcome && !*outcome) return std::nullopt;  // damage, which ready() puts aside before it tells
  return outcome;
}

Task<Result<std::uint64_t>> StoredBody::ready(std::uint64_t offset, std::uint64_t want, std::uint64_t) {
  auto outcome = co_await blob_->ready(offset, want);
  // The client that sees its body break may ask again at once: then the blob comes from elsewhere, or is unknown.
  if (!outcome && outcome.error().kind() == ErrorKind::kCorrupt)
    co_await damage_.put_aside(blob_->digest(), blob_->file_id());
  co_return outcome;
}

}  // namespace wherry::registry
