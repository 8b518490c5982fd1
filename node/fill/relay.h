// Relay: a blob that is passed on from upstream to one client without being stored, for when there is no room for it.
#pragma once

#include <atomic>
#include <memory>

#include "common/base/unique_fd.h"
#include "common/http/body.h"
#include "common/oci/hasher.h"
#include "common/store/blob_store.h"
#include "common/upstream/upstream.h"
#include "node/fill/attempts.h"

namespace wherry::node {

/// The body of one response, through a window of memory. Checked like all else: the last byte that a reader gets waits
/// until the whole blob has come and its digest is right, so each part of it costs the upstream all of it. Goes on by
/// Range where its source broke. Lives on the loop that opened it.
class Relay final : public http::Body {
 public:
  static constexpr std::uint64_t kWindowBytes = std::uint64_t{256} << 10;  ///< of memory, each
  static constexpr int kMaxRelays = 256;                                   ///< in a process

  /// Errors: those of Upstream::blob(); kUnavailable when kMaxRelays are under way, or nobody says how long it is.
  static Task<Result<std::unique_ptr<http::Body>>> open(Upstream upstream, Pool& pool, const RepositoryName& repository,
                                                        const Digest& digest);
  ~Relay() override;

  int file() const override { return window_.get(); }
  std::uint64_t size() const override { return size_; }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override;
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override;

 private:
  Relay(Upstream upstream, Pool& pool, const RepositoryName& repository, const Digest& digest);
  Task<Result<void>> connect();
  Task<Result<void>> advance(std::uint64_t keep_from, std::uint64_t keep_to);
  Result<void> take_in(std::uint64_t got, std::uint64_t keep_from, std::uint64_t keep_to);
  Result<void> check_end();
  void begin_anew();

  Upstream upstream_;
  Pool& pool_;
  const RepositoryName repository_;
  const Digest digest_;
  std::uint64_t size_ = 0;
  std::optional<BlobSource> source_;
  std::uint64_t skip_ = 0;  // of what the source sends: it was here already
  Hasher hasher_;           // of all before its size()
  UniqueFd window_;         // holds [kept_from_, kept_to_) at these places; holes elsewhere
  std::uint64_t kept_from_ = 0;
  std::uint64_t kept_to_ = 0;
  bool verified_ = false;
  Attempts attempts_;
  std::uint64_t connected_at_ = 0;  // what had come when the source was asked last
  Buffer buffer_;
};

}  // namespace wherry::node
