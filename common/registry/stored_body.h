// StoredBody: a blob at rest as the body of a response.
#pragma once

#include <memory>
#include <optional>

#include "common/http/body.h"
#include "common/store/open_blob.h"

namespace wherry::registry {

/// Told when a stored blob is found damaged; called on the loop that read it, once for each reader that meets it.
class DamageHandler {
 public:
  virtual ~DamageHandler() = default;
  /// `file` is the one whose bytes were wrong; nothing when it could not even be opened.
  virtual void found_damaged(const Digest& digest, std::optional<store::FileId> file) = 0;
  /// The same for who can wait: when this ends, nobody opens the damaged file any more.
  virtual Task<void> put_aside(Digest digest, std::optional<store::FileId> file) = 0;
};

/// Sends an open blob, each block checked before it leaves.
class StoredBody final : public http::Body {
 public:
  StoredBody(std::shared_ptr<store::OpenBlob> blob, DamageHandler& damage) : blob_(std::move(blob)), damage_(damage) {}

  int file() const override { return blob_->fd(); }
  std::uint64_t size() const override { return blob_->size(); }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override;
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override;
  Task<void> could_not_be_sent() override { return damage_.put_aside(blob_->digest(), blob_->file_id()); }

 private:
  std::shared_ptr<store::OpenBlob> blob_;
  DamageHandler& damage_;
};

}  // namespace wherry::registry
