// Vouchers: the master's word on what the pieces of its blobs are.
#pragma once

#include <string>

#include "common/async/task.h"
#include "common/feed/signature.h"
#include "common/kv/key_value.h"
#include "common/oci/reference.h"
#include "common/swarm/torrent_book.h"
#include "node/follow/followed_names.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// A blob of a repository that the feed tells of is shared only as the master says that it is to be cut: whoever stands
/// between cannot have a wrong piece passed on. Of what the master does not know, the parent's word is good enough: the
/// digest says at the end. Any loop.
class Vouchers {
 public:
  /// `key`: as FollowOptions. All outlive it.
  Vouchers(kv::KeyValue& store, std::string key, const Upstreams& upstreams, const FollowedNames& followed)
      : store_(store), key_(std::move(key)), upstreams_(upstreams), followed_(followed) {}

  /// Whether that may be what is shared of the repository. Reads the keys of the feed: two rows. Errors: kDenied when
  /// the parent had to have the master's word for it, and does not; those of the store.
  Task<Result<void>> check(const RepositoryName& repository, const swarm::Torrent& torrent) const;
  /// The word for one that was made here: the one that it has, if it is of the feed's newest key, or the parent's, who
  /// has it or gets it; empty for what is not the master's. Not patient: whoever shares the blob waits for it.
  /// Errors: those of Origin::ask(); kDenied for another's word.
  Task<Result<std::string>> ask(RepositoryName repository, swarm::SharedTorrent torrent) const;

 private:
  Task<Result<bool>> is_masters(const RepositoryName& repository) const;
  Task<Result<feed::TrustedKeys>> trusted() const;
  /// The id of the key that vouches for it. Errors: kDenied when none of these does.
  static Result<std::uint64_t> signer_of(const swarm::Torrent& torrent, const feed::TrustedKeys& keys);
  Task<Result<std::string>> ask_parent(const RepositoryName& repository, const swarm::Torrent& torrent) const;

  kv::KeyValue& store_;
  const std::string key_;
  const Upstreams& upstreams_;
  const FollowedNames& followed_;
};

}  // namespace wherry::node
