// Upstreams: all registries that a node stands for, and whose each repository is.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/upstream/origin.h"
#include "common/upstream/upstream.h"
#include "node/upstream/options.h"

namespace wherry::node {

/// A repository as its own registry knows it.
class Remote {
 public:
  Remote(Origin& origin, RepositoryName repository) : origin_(&origin), repository_(std::move(repository)) {}
  Origin& origin() const { return *origin_; }
  Upstream upstream() const { return Upstream(*origin_); }
  const RepositoryName& repository() const { return repository_; }

 private:
  Origin* origin_;
  RepositoryName repository_;
};

/// A node keeps its parent's repositories under their own names and those of upstreams below the upstream's name
/// (library/alpine of docker.io as docker.io/library/alpine): so what is kept has one form, whichever dialect a client
/// speaks. Immutable but for what its origins remember: any loop.
class Upstreams {
 public:
  /// How this node shows the parent who it is. Before the first question.
  void sign_for_parent(Origin::Signer signer);
  /// Reads the credentials. Errors: kInvalid, naming the file or the upstream.
  static Result<std::unique_ptr<Upstreams>> make(Registries registries, const std::vector<Loop*>& loops);

  /// The name that a repository is kept under, from what a client asks: `registry` is what `?ns=` said, if it was
  /// there. Asks nobody. Errors: kNameUnknown for a registry that is not configured, kDenied for a repository that its
  /// `allow` and `deny` keep out.
  Result<RepositoryName> place(const std::optional<std::string>& registry, const RepositoryName& asked) const;
  /// Whose a kept repository is. Errors: kNameUnknown when nobody's (any more).
  Result<Remote> remote(const RepositoryName& kept) const;
  /// The one that unprefixed names mean; null when they mean nothing.
  Origin* root() const { return root_ != nullptr ? &root_->origin : nullptr; }
  /// The parent; null without one.
  Origin* parent() const { return parent_ != nullptr ? &parent_->origin : nullptr; }
  /// Whether who may pull from it is known by its feed.
  bool follows(const Origin& origin) const { return follows_ && parent() == &origin; }
  /// Everyone, for whoever shows them.
  std::vector<const Origin*> all() const;

  Task<void> open();
  Task<void> cancel();
  Task<void> close();

 private:
  struct Entry {
    Entry(UpstreamOptions options, Credentials credentials, const std::vector<Loop*>& loops)
        : prefix(prefix_of(options.name)), origin(std::move(options), std::move(credentials), loops) {}
    bool is_named(std::string_view name) const;

    std::string prefix;
    Origin origin;
  };

  Upstreams() = default;
  Result<void> add(UpstreamOptions options, const std::vector<Loop*>& loops);
  Entry* kept_below(std::string_view name) const;
  Result<RepositoryName> within(const Entry& entry, std::string name) const;

  mutable std::deque<Entry> entries_;
  Entry* parent_ = nullptr;
  bool follows_ = false;
  Entry* root_ = nullptr;
};

}  // namespace wherry::node
