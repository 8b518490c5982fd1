// NodeCatalog: names as a node answers them: digests from what it holds, tags by the rules of their freshness.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/async/per_loop.h"
#include "common/async/scope.h"
#include "common/observe/metrics.h"
#include "common/registry/name_store.h"
#include "common/registry/storage.h"
#include "node/cache/freshness.h"
#include "node/cache/prefetch.h"
#include "node/eviction/cache_space.h"
#include "node/follow/followed_names.h"
#include "node/upstream/questions.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// A digest that is held is answered without a word to the upstream. A tag of the parent is answered as its feed has
/// it; one that the feed does not have (yet) is asked for. Another tag is answered from what is known while its rule
/// says that it is fresh, else after a HEAD; when that fails, from what is known for as long as the rule allows for
/// that kind of failure, with a warning and its age. "Deleted" forgets the tag, "refused" and "down" do not. Any number
/// of clients that want the same cost one question. An upstream that is down is not waited for: what is known is given
/// at once, and one question goes out behind it.
class NodeCatalog final : public registry::Catalog {
 public:
  NodeCatalog(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, FollowedNames& followed,
              const Upstreams& upstreams, const Freshness& freshness, Negatives& negatives, Prefetch& prefetch,
              const std::vector<Loop*>& loops, Metrics& metrics);

  Task<Result<registry::StoredManifest>> manifest(const RepositoryName& repository,
                                                  const Reference& reference) override;
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit) override;
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit) override;
  Task<Result<registry::ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                                 std::string artifact_type, std::string last,
                                                 std::size_t limit) override;
  /// A manifest by its digest, for who is no client.
  Task<Result<registry::StoredManifest>> held_or_fetched(RepositoryName repository, Digest digest);
  /// Waits for fetches that go on although their client left.
  Task<void> stop();

 private:
  using Answer = Result<registry::StoredManifest>;
  static constexpr std::size_t kMostBehind = 256;  ///< revalidations behind answers, a loop

  /// What a tag is known to mean, and how long ago the upstream said so (nothing: at a time that cannot be right).
  struct Known {
    Digest digest;
    std::optional<std::chrono::milliseconds> age;
  };

  Task<Answer> by_tag(const RepositoryName& repository, const Tag& tag);
  /// As the feed has it. Nothing when it does not have that tag, is not followed, or is older than the rule allows.
  Task<std::optional<Answer>> by_followed_tag(const RepositoryName& repository, const Tag& tag, const Remote& remote,
                                              const FreshnessRule& rule);
  bool is_followed(const Origin& origin) const;
  /// How far the feed of that server has been followed; nothing when it is not.
  std::optional<FollowedNames::Standing> standing(const Origin& origin) const;
  Task<Answer> by_digest(const RepositoryName& repository, const Digest& digest);
  const FreshnessRule& rule_of(const RepositoryName& repository, const Tag& tag, const Remote& remote) const;
  Task<std::optional<Known>> known(const RepositoryName& repository, const Tag& tag);
  /// The held manifest that a tag is known to mean, with its age and, unless that is `sure`, a warning.
  Task<Answer> last_known(const RepositoryName& repository, const Known& known, bool sure);
  /// Asks the upstream what a tag means and keeps that; once for all who want it now. A tag that is gone, and may not
  /// be answered for all that, is forgotten.
  Task<Answer> revalidate(const RepositoryName& repository, const Tag& tag, std::optional<Known> known);
  Task<Answer> ask(RepositoryName repository, Tag tag, std::optional<Known> known);
  /// By a HEAD, if what is known is right still.
  Task<Answer> confirm(const Remote& remote, const RepositoryName& repository, const Tag& tag, const Digest& known);
  /// Starts to ask what a tag means now; whoever started it does not wait for it.
  void revalidate_behind(const RepositoryName& repository, const Tag& tag, const Known& known);
  Task<void> revalidate_quietly(RepositoryName repository, Tag tag, Known known);
  Task<Result<registry::ReferrerPage>> ask_referrers(RepositoryName repository, Digest digest,
                                                     std::string artifact_type, std::string last, std::size_t limit);
  /// What the fallback tag lists, where the upstream has no referrers API. Errors: kManifestUnknown without one.
  Task<Result<registry::ReferrerPage>> fallback_referrers(const RepositoryName& repository, const Digest& digest,
                                                          std::string artifact_type);
  /// Fetches and keeps a manifest; once for all who want it now.
  Task<Answer> fetch(const RepositoryName& repository, Reference reference, bool refresh);
  Task<Answer> fetch_now(RepositoryName repository, Reference reference, bool refresh);
  Task<Result<void>> keep(const RepositoryName& repository, const registry::StoredManifest& manifest);
  /// `ahead`: it is answered as of that position, which the feed has not brought yet.
  Task<Result<void>> keep_tag(const RepositoryName& repository, const Tag& tag, const Digest& digest,
                              std::optional<std::uint64_t> ahead);
  Task<void> keep_tag_if_possible(const RepositoryName& repository, const Tag& tag, const Digest& digest,
                                  std::optional<std::uint64_t> position);
  Task<void> forget_tag(const RepositoryName& repository, const Tag& tag);
  /// What is held of a list, given because its upstream cannot be asked: `why`.
  template <class Page>
  Task<Result<Page>> in_place_of(Error why, Result<Page> held);

  registry::Storage& storage_;
  CacheSpace& space_;
  registry::NameStore& held_;
  FollowedNames& followed_;
  const Upstreams& upstreams_;
  const Freshness& freshness_;
  Prefetch& prefetch_;
  Questions<registry::StoredManifest> asking_;
  Questions<registry::StoredManifest> fetching_;
  Questions<registry::ReferrerPage> listing_;
  PerLoop<Scope> behind_;  // revalidations behind answers
  Counter hits_;
  Counter misses_;
  Counter stale_;
};

}  // namespace wherry::node
