#include "node/cache/node_catalog.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/oci/referrers_index.h"
#include "common/registry/tables.h"

namespace wherry::node {
namespace {

using registry::NamePage;
using registry::ReferrerPage;
using registry::StoredManifest;
namespace tables = registry::tables;

constexpr std::string_view kStale = "the upstream cannot be asked; this is the last known answer";
/// The master signs its feed every ten seconds at least: who has heard nothing for so long may miss something.
constexpr std::chrono::seconds kFeedIsLate{60};
/// A clock that was set back by more makes an age unknown.
constexpr std::chrono::minutes kClockSlack{5};

/// Whether what is known may be given although its upstream did not confirm it; `limit` is its rule's.
bool may_stand_in(const std::optional<std::chrono::milliseconds>& age, std::chrono::milliseconds limit) {
  return limit.count() > 0 && (!age || *age <= limit);
}

NamePage as_of(const FollowedNames::Standing& standing, NamePage page) {
  page.set_position(standing.position);
  page.set_age(standing.age);
  if (standing.age > kFeedIsLate) page.warn(std::string(kStale));
  return page;
}

bool is_gone(const Error& error) {
  return error.kind() == ErrorKind::kManifestUnknown || error.kind() == ErrorKind::kNameUnknown;
}

}  // namespace

NodeCatalog::NodeCatalog(registry::Storage& storage, CacheSpace& space, registry::NameStore& held,
                         FollowedNames& followed, const Upstreams& upstreams, const Freshness& freshness,
                         Negatives& negatives, Prefetch& prefetch, const std::vector<Loop*>& loops, Metrics& metrics)
    : storage_(storage),
      space_(space),
      held_(held),
      followed_(followed),
      upstreams_(upstreams),
      freshness_(freshness),
      prefetch_(prefetch),
      asking_(loops, negatives),
      fetching_(loops, negatives),
      listing_(loops, negatives),
      behind_(loops),
      hits_(metrics.counter("wherry_cache_manifests_total", "Manifests answered", "from", "held")),
      misses_(metrics.counter("wherry_cache_manifests_total", "Manifests answered", "from", "parent")),
      stale_(
          metrics.counter("wherry_cache_stale_answers_total", "Answers given although they could not be confirmed")) {}

Task<Result<StoredManifest>> NodeCatalog::manifest(const RepositoryName& repository, const Reference& reference) {
  Answer answer = Error(ErrorKind::kInternal, "nobody was asked");
  if (const Digest* digest = reference.digest(); digest != nullptr)
    answer = co_await by_digest(repository, *digest);
  else
    answer = co_await by_tag(repository, *reference.tag());
  if (answer) space_.asked(repository, *answer, reference.tag());
  co_return answer;
}

Task<Result<StoredManifest>> NodeCatalog::by_digest(const RepositoryName& repository, const Digest& digest) {
  auto held = co_await held_.by_digest(repository, digest);
  if (held || held.error().kind() != ErrorKind::kManifestUnknown) {
    hits_.add();
    co_await note_source(Source::kHit);
    co_return held;
  }
  const Reference reference(digest);
  co_return co_await fetch(repository, reference, false);
}

Task<Result<StoredManifest>> NodeCatalog::held_or_fetched(RepositoryName repository, Digest digest) {
  co_return co_await by_digest(repository, digest);
}

const FreshnessRule& NodeCatalog::rule_of(const RepositoryName& repository, const Tag& tag,
                                          const Remote& remote) const {
  return freshness_.rule(repository.text(), tag.text(), upstreams_.parent() == &remote.origin());
}

Task<Result<StoredManifest>> NodeCatalog::by_tag(const RepositoryName& repository, const Tag& tag) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const FreshnessRule& rule = rule_of(repository, tag, *remote);
  auto followed = co_await by_followed_tag(repository, tag, *remote, rule);
  if (followed) co_return std::move(*followed);
  const auto before = co_await known(repository, tag);
  if (before) {
    const auto within = [&](std::chrono::milliseconds limit) { return before->age && *before->age <= limit; };
    const bool fresh = rule.max_age.count() > 0 && within(rule.max_age);
    const bool soon = rule.behind.count() > 0 && within(rule.max_age + rule.behind);
    const bool down =
        may_stand_in(before->age, rule.unreachable) && remote->upstream().is_out_of_reach(remote->repository());
    if (fresh || soon || down) {
      auto held = co_await last_known(repository, *before, fresh || soon);
      if (held && !fresh) revalidate_behind(repository, tag, *before);
      if (held) co_return held;
    }
  }
  auto answer = co_await revalidate(repository, tag, before);
  if (answer) {
    if (!is_followed(remote->origin())) answer->set_position(std::nullopt);
    co_return answer;
  }
  if (before && may_stand_in(before->age, rule.stale_if(answer.error().kind()))) {
    auto held = co_await last_known(repository, *before, false);
    if (held) co_return held;
  }
  // As far as the feed goes there is no such tag: that is an answer, when nobody can be asked for a better one.
  const bool feed_says_no = is_down(answer.error()) && standing(remote->origin());
  if (feed_says_no || is_gone(answer.error())) co_return registry::manifest_unknown(repository, tag.text());
  co_return answer;
}

bool NodeCatalog::is_followed(const Origin& origin) const {
  return upstreams_.parent() == &origin && followed_.is_enabled();
}

std::optional<FollowedNames::Standing> NodeCatalog::standing(const Origin& origin) const {
  if (upstreams_.parent() != &origin) return std::nullopt;
  return followed_.standing();
}

Task<std::optional<NodeCatalog::Answer>> NodeCatalog::by_followed_tag(const RepositoryName& repository, const Tag& tag,
                                                                      const Remote& remote, const FreshnessRule& rule) {
  const auto standing_now = standing(remote.origin());
  if (!standing_now || standing_now->age > rule.unreachable) co_return std::nullopt;
  if (followed_.answered_ahead().is_behind(repository, tag, standing_now->position)) co_return std::nullopt;
  auto digest = co_await followed_.tag(repository, tag);
  if (!digest) co_return std::nullopt;
  auto manifest = co_await held_.by_digest(repository, *digest);
  if (manifest) {
    hits_.add();
    co_await note_source(Source::kHit);
  } else {
    const Reference reference(*digest);
    manifest = co_await fetch(repository, reference, false);
    // What the master signed is not asked for otherwise: a parent could say what it likes.
    if (!manifest && is_gone(manifest.error()))
      co_return std::optional<Answer>(registry::manifest_unknown(repository, tag.text()));
    if (!manifest) co_return std::optional<Answer>(manifest);
    co_await keep_tag_if_possible(repository, tag, *digest, std::nullopt);  // named as long as it is held
  }
  manifest->set_position(standing_now->position);
  manifest->set_age(standing_now->age);
  if (standing_now->age > kFeedIsLate) {
    manifest->warn(std::string(kStale));
    stale_.add();
    co_await note_source(Source::kStale);
  }
  co_return std::optional<Answer>(manifest);
}

Task<std::optional<NodeCatalog::Known>> NodeCatalog::known(const RepositoryName& repository, const Tag& tag) {
  auto digest = co_await held_.resolve(repository, tag);
  if (!digest) co_return std::nullopt;
  Known known{*digest, std::nullopt};
  auto row = co_await storage_.names().get(tables::validated_key(repository, tag.text()));
  if (!row || !*row) co_return known;
  std::string_view stored = **row;
  const auto millis = take_be64(stored);
  if (!millis) co_return known;
  const auto then = from_millis(static_cast<std::int64_t>(*millis));
  const auto now = Clock::system().wall();
  if (then <= now + kClockSlack) known.age = std::max(now - then, std::chrono::milliseconds(0));
  co_return known;
}

Task<Result<StoredManifest>> NodeCatalog::last_known(const RepositoryName& repository, const Known& known, bool sure) {
  auto held = co_await held_.by_digest(repository, known.digest);
  if (!held) co_return held;
  hits_.add();
  if (known.age) held->set_age(std::chrono::duration_cast<std::chrono::seconds>(*known.age));
  if (!sure) {
    held->warn(std::string(kStale));
    stale_.add();
  }
  co_await note_source(sure ? Source::kHit : Source::kStale);
  co_return held;
}

Task<Result<StoredManifest>> NodeCatalog::revalidate(const RepositoryName& repository, const Tag& tag,
                                                     std::optional<Known> known) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const auto work = [this, repository, tag, known] { return ask(repository, tag, known); };
  co_return co_await asking_.ask(question_key('t', repository, tag.text()), remote->origin().options().negative_age,
                                 work);
}

Task<Result<StoredManifest>> NodeCatalog::ask(RepositoryName repository, Tag tag, std::optional<Known> known) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Answer answer = Error(ErrorKind::kInternal, "nobody was asked");
  const Reference reference(tag);
  if (known)
    answer = co_await confirm(*remote, repository, tag, known->digest);
  else  // nothing that a HEAD could confirm: one question is enough
    answer = co_await fetch(repository, reference, false);
  if (answer)
    co_await keep_tag_if_possible(repository, tag, answer->digest(),
                                  is_followed(remote->origin()) ? answer->position() : std::nullopt);
  else if (known && is_gone(answer.error()) && !may_stand_in(known->age, rule_of(repository, tag, *remote).not_found))
    co_await forget_tag(repository, tag);
  co_return answer;
}

Task<Result<StoredManifest>> NodeCatalog::confirm(const Remote& remote, const RepositoryName& repository,
                                                  const Tag& tag, const Digest& known) {
  const Reference reference(tag);
  const std::optional<Digest> shown(known);
  Upstream upstream = remote.upstream();
  auto head = co_await upstream.head_manifest(remote.repository(), reference, shown);
  if (!head) co_return head.error();
  const std::optional<Digest>& now = head->digest();
  if (!now) co_return co_await fetch(repository, reference, true);
  auto held = co_await held_.by_digest(repository, *now);
  if (held) {
    hits_.add();
    co_await note_source(Source::kHit);
    held->set_position(head->position());
    co_return held;
  }
  const Reference meant(*now);
  auto fetched = co_await fetch(repository, meant, true);
  if (fetched) fetched->set_position(head->position());
  if (!fetched && is_gone(fetched.error()))  // of the tag this says nothing: it was there a moment ago
    co_return Error(ErrorKind::kUpstream, "{} says that {}:{} is {}, and does not have that", upstream.url(),
                    repository.text(), tag.text(), now->to_string());
  co_return fetched;
}

Task<void> NodeCatalog::keep_tag_if_possible(const RepositoryName& repository, const Tag& tag, const Digest& digest,
                                             std::optional<std::uint64_t> position) {
  const bool is_ahead = position && followed_.is_ahead(*position);
  if (is_ahead) followed_.note_ahead(repository, tag, *position);
  auto kept = co_await keep_tag(repository, tag, digest, is_ahead ? position : std::nullopt);
  if (!kept) log::warn("a tag could not be kept", {{"tag", tag.text()}, {"error", kept.error().to_string()}});
}

void NodeCatalog::revalidate_behind(const RepositoryName& repository, const Tag& tag, const Known& known) {
  Scope& scope = behind_.here();
  if (scope.running() < kMostBehind) scope.spawn(revalidate_quietly(repository, tag, known));
}

Task<void> NodeCatalog::revalidate_quietly(RepositoryName repository, Tag tag, Known known) {
  co_await Loop::current().yield();  // the answer goes first
  const auto outcome = co_await revalidate(repository, tag, known);
  if (!outcome) log::debug("a tag could not be confirmed behind an answer", {{"error", outcome.error().to_string()}});
}

Task<Result<StoredManifest>> NodeCatalog::fetch(const RepositoryName& repository, Reference reference, bool refresh) {
  misses_.add();
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const auto work = [this, repository, reference, refresh] { return fetch_now(repository, reference, refresh); };
  co_return co_await fetching_.ask(question_key('m', repository, reference.to_string()),
                                   remote->origin().options().negative_age, work);
}

Task<Result<StoredManifest>> NodeCatalog::fetch_now(RepositoryName repository, Reference reference, bool refresh) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto answer = co_await upstream.manifest(remote->repository(), reference, refresh);
  if (!answer && answer.error().kind() == ErrorKind::kManifestUnknown)
    co_return registry::manifest_unknown(repository, reference.to_string());
  if (!answer) co_return answer;
  co_await note_source(Source::kFilled);
  auto kept = co_await keep(repository, *answer);
  // It is right all the same: a node without room still passes manifests on.
  if (!kept) log::warn("a manifest could not be kept", {{"error", kept.error().to_string()}});
  const Prefetch::Get get = [this](RepositoryName of, Digest digest) { return held_or_fetched(std::move(of), digest); };
  prefetch_.fetched(repository, *answer, get);
  co_return answer;
}

Task<Result<void>> NodeCatalog::keep(const RepositoryName& repository, const StoredManifest& manifest) {
  const auto parsed = Manifest::parse(manifest.bytes(), manifest.media_type());
  std::string made;
  append_be64(made, static_cast<std::uint64_t>(to_millis(Clock::system().wall())));
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(tables::repository_key(repository), made);
    if (parsed) {
      auto stored = registry::put_manifest(transaction, repository, manifest.digest(), *parsed, manifest.bytes());
      if (!stored) return stored.error();
    } else {  // old forms are passed on like all others, but nothing is read out of them
      transaction.put(tables::manifest_key(repository, manifest.digest()),
                      tables::encode_manifest(manifest.media_type(), manifest.bytes()));
    }
    return {};
  });
}

Task<Result<void>> NodeCatalog::keep_tag(const RepositoryName& repository, const Tag& tag, const Digest& digest,
                                         std::optional<std::uint64_t> ahead) {
  auto known = co_await held_.resolve(repository, tag);
  const bool changed = !known || *known != digest;
  std::string now;
  append_be64(now, static_cast<std::uint64_t>(to_millis(Clock::system().wall())));
  co_return co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.put(tables::validated_key(repository, tag.text()), now);
        if (ahead) {
          auto noted = followed_.answered_ahead().put(transaction, repository, tag, *ahead);
          if (!noted) return noted;
        }
        if (!changed) return {};
        auto before = registry::put_tag(transaction, repository, tag.text(), digest);
        if (!before) return before.error();
        if (*before) space_.untagged(repository, **before);
        return {};
      },
      ahead ? kv::Durability::kSynced : kv::Durability::kLazy);
}

Task<void> NodeCatalog::forget_tag(const RepositoryName& repository, const Tag& tag) {
  auto forgotten = co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.erase(tables::validated_key(repository, tag.text()));
        auto erased = registry::erase_tag(transaction, repository, tag.text());
        if (!erased) return erased.error();
        if (*erased) space_.untagged(repository, **erased);
        return {};
      },
      kv::Durability::kLazy);
  if (!forgotten) log::warn("a deleted tag stays known", {{"error", forgotten.error().to_string()}});
}

template <class Page>
Task<Result<Page>> NodeCatalog::in_place_of(Error why, Result<Page> held) {
  // That nothing is held says nothing of what the upstream has.
  if (!held && held.error().kind() == ErrorKind::kNameUnknown) co_return why;
  if (!held) co_return held;
  held->warn(std::string(kStale));
  stale_.add();
  co_await note_source(Source::kStale);
  co_return held;
}

Task<Result<NamePage>> NodeCatalog::tags(const RepositoryName& repository, std::string last, std::size_t limit) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  if (const auto followed = standing(remote->origin())) {
    auto page = co_await followed_.tags(repository, last, limit);
    if (page) co_return as_of(*followed, std::move(*page));
  }
  Upstream upstream = remote->upstream();
  auto page = co_await upstream.tags(remote->repository(), last, limit);
  if (page || !is_down(page.error())) co_return page;
  auto held = co_await held_.tags(repository, std::move(last), limit);
  co_return co_await in_place_of(page.error(), std::move(held));
}

Task<Result<NamePage>> NodeCatalog::repositories(std::string last, std::size_t limit) {
  // Of the root alone: a list of all that upstreams hold would be theirs to give, and Docker Hub gives none.
  Origin* root = upstreams_.root();
  if (root == nullptr) co_return co_await held_.repositories(std::move(last), limit);
  if (const auto followed = standing(*root)) {
    auto page = co_await followed_.repositories(last, limit);
    if (page) co_return as_of(*followed, std::move(*page));
  }
  Upstream upstream(*root);
  auto page = co_await upstream.repositories(last, limit);
  if (page || !is_down(page.error())) co_return page;
  auto held = co_await held_.repositories(std::move(last), limit);
  co_return co_await in_place_of(page.error(), std::move(held));
}

Task<Result<ReferrerPage>> NodeCatalog::referrers(const RepositoryName& repository, const Digest& digest,
                                                  std::string artifact_type, std::string last, std::size_t limit) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const std::string key = question_key(
      'r', repository, fmt::format("{} {} {} {}{}", digest.to_string(), limit, last.size(), last, artifact_type));
  const auto work = [this, repository, digest, artifact_type, last, limit] {
    return ask_referrers(repository, digest, artifact_type, last, limit);
  };
  auto page = co_await listing_.ask(key, remote->origin().options().negative_age, work);
  if (!page && page.error().kind() == ErrorKind::kManifestUnknown) co_return ReferrerPage({}, {});
  if (page || !is_down(page.error())) co_return page;
  auto held = co_await held_.referrers(repository, digest, std::move(artifact_type), std::move(last), limit);
  co_return co_await in_place_of(page.error(), std::move(held));
}

Task<Result<ReferrerPage>> NodeCatalog::ask_referrers(RepositoryName repository, Digest digest,
                                                      std::string artifact_type, std::string last, std::size_t limit) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto page = co_await upstream.referrers(remote->repository(), digest, artifact_type, std::move(last), limit);
  if (page || page.error().kind() != ErrorKind::kNotFound) co_return page;
  co_return co_await fallback_referrers(repository, digest, std::move(artifact_type));
}

Task<Result<ReferrerPage>> NodeCatalog::fallback_referrers(const RepositoryName& repository, const Digest& digest,
                                                           std::string artifact_type) {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  const auto tag = Tag::parse(fallback_tag(digest));
  if (!tag) co_return registry::manifest_unknown(repository, fallback_tag(digest));
  const auto before = co_await held_.resolve(repository, *tag);
  if (!before) {  // most subjects have none, and a HEAD, which says so, costs no manifest of the budget
    const Reference reference(*tag);
    Upstream upstream = remote->upstream();
    auto head = co_await upstream.head_manifest(remote->repository(), reference);
    if (!head) co_return head.error();
  }
  auto index = co_await by_tag(repository, *tag);
  if (!index) co_return index.error();
  std::vector<std::string> descriptors;
  if (auto listed = parse_fallback_index(index->bytes()))
    for (const Descriptor& descriptor : *listed)
      if (artifact_type.empty() || descriptor.artifact_type == artifact_type)
        descriptors.push_back(descriptor.to_json());
  ReferrerPage page(std::move(descriptors), {});
  page.warn(index->warning());
  co_return page;
}

Task<void> NodeCatalog::stop() {
  co_await join_all(behind_);
  co_await asking_.stop();
  co_await fetching_.stop();
  co_await listing_.stop();
}

}  // namespace wherry::node
