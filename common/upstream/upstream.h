// Upstream: a registry that is asked over the distribution protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "common/registry/catalog.h"
#include "common/upstream/origin.h"

namespace wherry {

/// What an upstream says of a manifest without its bytes.
class ManifestHead {
 public:
  explicit ManifestHead(std::optional<Digest> digest, std::optional<std::uint64_t> position = std::nullopt)
      : digest_(digest), position_(position) {}
  /// Nothing when the upstream does not say (then the manifest has to be fetched).
  const std::optional<Digest>& digest() const { return digest_; }
  /// Of the feed, as of which a parent says so.
  const std::optional<std::uint64_t>& position() const { return position_; }

 private:
  std::optional<Digest> digest_;
  std::optional<std::uint64_t> position_;
};

/// A blob on its way from an upstream.
class BlobSource {
 public:
  BlobSource(Origin& origin, Budget::Slot slot, std::unique_ptr<http::Transfer> transfer, std::uint64_t offset,
             std::optional<std::uint64_t> end, std::optional<std::uint64_t> size)
      : origin_(&origin),
        slot_(std::move(slot)),
        transfer_(std::move(transfer)),
        offset_(offset),
        end_(end),
        size_(size) {}
  /// Instead of its bytes: where it is had together with others.
  BlobSource(Origin& origin, Budget::Slot slot, std::string invitation)
      : origin_(&origin), slot_(std::move(slot)), offset_(0), invitation_(std::move(invitation)) {}
  /// Of the registry that sends it, for messages.
  const std::string& url() const { return origin_->url(); }
  /// Path and query at the same server, where to ask for an introduction (swarm::Introduction); empty: its bytes come.
  const std::string& invitation() const { return invitation_; }
  /// The next piece of its bytes, as http::Transfer::next(), when the upstream's budget has room for it.
  Task<Result<Buffer>> next();
  /// Where in the blob its bytes start: 0 when the upstream sends all of it although a range was asked for.
  std::uint64_t offset() const { return offset_; }
  /// Where they end; nothing when the upstream does not say.
  std::optional<std::uint64_t> end() const { return end_; }
  /// Of the whole blob; nothing when the upstream does not say.
  std::optional<std::uint64_t> size() const { return size_; }
  /// Its turn, for who asks for more in it once all of this has come.
  Budget::Slot hand_on_turn() { return std::move(slot_); }

 private:
  Origin* origin_;
  Budget::Slot slot_;
  std::unique_ptr<http::Transfer> transfer_;
  std::uint64_t offset_;
  std::optional<std::uint64_t> end_;
  std::optional<std::uint64_t> size_;
  std::string invitation_;
};

/// An upstream as seen from any loop. Errors of all: those of Origin::ask(), with the kind of "not there" that each
/// names: "down", "refused" and "not there" are never mixed up.
class Upstream {
 public:
  explicit Upstream(Origin& origin) : origin_(origin) {}

  const std::string& url() const { return origin_.url(); }
  /// Whether asking about that repository is known to be of no use now.
  bool is_out_of_reach(const RepositoryName& repository) const;

  /// With the digest that is held, if one is, so that an upstream may answer with 304. Errors: kManifestUnknown.
  Task<Result<ManifestHead>> head_manifest(const RepositoryName& repository, const Reference& reference,
                                           const std::optional<Digest>& known = std::nullopt);
  /// The bytes, checked: against the digest asked for, else against the one that the answer states; an answer to a tag
  /// that states none must be a manifest that can be read. `refresh`: an older one is held, so that the budget's
  /// reserve is not for it. Errors: kManifestUnknown; kUpstream for what fails the check.
  Task<Result<registry::StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference,
                                                  bool refresh = false);
  /// Errors: kBlobUnknown.
  Task<Result<std::uint64_t>> blob_size(const RepositoryName& repository, const Digest& digest);
  /// Waits until a blob of that repository may be fetched. Errors: those of Budget::slot().
  Task<Result<Budget::Slot>> turn(const RepositoryName& repository, Budget::Use use);
  /// Starts to fetch a blob from `offset`, in its turn. `together`: an invitation will do, too. `end`: no more than
  /// what lies before it is asked for; what comes has `offset` in it, and may begin before that and end anywhere.
  /// Errors: kBlobUnknown; kUpstream when what comes cannot be that blob.
  Task<Result<BlobSource>> blob(Budget::Slot turn, const RepositoryName& repository, const Digest& digest,
                                std::uint64_t offset, bool together = false,
                                std::optional<std::uint64_t> end = std::nullopt);
  enum class InvitationOf { kSwarm, kVoucher };
  /// Where a blob that is held already is shared, or where the master's word on its pieces is had (path and query).
  /// Errors: kBlobUnknown; kUpstream when there is no invitation.
  Task<Result<std::string>> invitation(const RepositoryName& repository, const Digest& digest, InvitationOf of);
  /// Lists, of which these three tell, are not worth a wait for an upstream that was out of reach a moment ago. Errors:
  /// kNameUnknown.
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit);
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit);
  /// Errors: kNotFound where the upstream has no referrers API.
  Task<Result<registry::ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                                 std::string artifact_type, std::string last, std::size_t limit);
  /// An extension of ours. Errors: kNotFound where the upstream has no such list, or gives none to us.
  Task<Result<registry::ManifestPage>> manifests(const RepositoryName& repository,
                                                 const registry::ManifestQuery& query);

 private:
  Task<Result<registry::NamePage>> names(Question question, std::string member);
  /// Of a tag's answer, where that may be ahead of a feed.
  void ask_for_position(Question& question, const Reference& reference) const;

  Origin& origin_;
};

}  // namespace wherry
