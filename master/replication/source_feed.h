// SourceFeed: what another Wherry's feed says has changed there.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/feed/signature.h"
#include "common/feed/verifier.h"
#include "common/upstream/origin.h"
#include "master/replication/changes.h"
#include "master/replication/source_place.h"

namespace wherry::replication {

/// Reads a feed from where it was read before up to where it is now, over the same connection, credentials and limits
/// as the source's images. All that comes may be hostile: a stretch is believed when the key of the first contact, or
/// one that it vouches for, signed its end, and the chain closes. One loop; `remote` outlives it.
class SourceFeed {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;       ///< of a stretch; beyond, all is compared
  static constexpr std::size_t kMaxHeadBytes = std::size_t{128} << 10;  ///< in which the first signed head comes

  SourceFeed(Origin& remote, Wants wants) : remote_(remote), wants_(std::move(wants)) {}

  struct Reading {
    SourcePlace place;               ///< seen before any image is looked at; `at` is nothing without a feed
    std::optional<Changes> changes;  ///< since the place before; nothing: all is to be compared,
    std::string because;             ///< and why
  };
  /// Three requests at most, one when the log goes on from there. Without a feed, or where it may not be read, all is
  /// to be compared each time. Errors: kInvalid for a feed that cannot be believed, or that has gone back within its
  /// epoch (with `may_go_back` that is taken for a new beginning); else those of Origin::ask().
  Task<Result<Reading>> read(SourcePlace before, bool may_go_back);

 private:
  Task<Result<std::unique_ptr<http::Transfer>>> ask_for_head();
  Task<Result<Reading>> begin_anew(SourcePlace before, std::string because, bool parted, bool may_go_back);
  Task<Result<Reading>> follow(http::Transfer& stream, SourcePlace before, bool may_go_back);
  Result<bool> take(const feed::Record& record, feed::Verifier& verifier, const feed::Head& before, Changes& changes,
                    std::string& because);
  Task<Result<feed::SignedHead>> first_head(http::Transfer& stream, feed::TrustedKeys& keys, bool first_contact);
  Error unbelievable(const std::string& key, Error how) const;
  Error gone_back(const feed::Head& before, const feed::Head& now) const;

  Origin& remote_;
  const Wants wants_;
};

}  // namespace wherry::replication
