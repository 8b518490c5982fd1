#include "node/cache/node_catalog.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/registry/tables.h"

namespace wherry::node {
namespace {

using registry::NamePage;
using registry::ReferrerPage;
using registry::StoredManifest;
namespace tables = registry::tables;

constexpr std::string_view kStale = "the parent cannot be asked; this is the last known answer";

}  // namespace

/// A fetch and those who wait for it; lives on one loop.
struct NodeCatalog::Flight {
  Flight(RepositoryName repo, Reference ref) : repository(std::move(repo)), reference(std::move(ref)) {}
  RepositoryName repository;
  Reference reference;
  std::optional<Answer> answer;
  Event landed;
};

struct NodeCatalog::Part {
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights;
  Scope scope;
};

NodeCatalog::NodeCatalog(registry::Storage& storage, CacheSpace& space, registry::NameStore& held, Upstream& upstream,
                         std::vector<Loop*> loops, Metrics& metrics)
    : storage_(storage),
      space_(space),
      held_(held),
      upstream_(upstream),
      loops_(std::move(loops)),
      hits_(metrics.counter("wherry_cache_manifests_total", "Manifests answered", "from", "held")),
      misses_(metrics.counter("wherry_cache_manifests_total", "Manifests answered", "from", "parent")),
      stale_(metrics.counter("wherry_cache_stale_answers_total", "Answers given while the parent was down")) {
  for (std::size_t i = 0; i < loops_.size(); ++i) parts_.push_back(std::make_unique<Part>());
}

NodeCatalog::~NodeCatalog() = default;

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
    co_return held;
  }
  const Reference reference(digest);
  co_return co_await fetch(repository, reference);
}

Task<Result<StoredManifest>> NodeCatalog::by_tag(const RepositoryName& repository, const Tag& tag) {
  const Reference reference(tag);
  auto head = co_await upstream_.head_manifest(repository, reference);
  if (!head) {
    if (is_down(head.error())) co_return co_await last_known(repository, tag, head.error());
    if (head.error().kind() == ErrorKind::kManifestUnknown) {
      auto forgotten = co_await storage_.names().transact(
          [&](kv::Transaction& transaction) -> Result<void> {
            auto erased = registry::erase_tag(transaction, repository, tag.text());
            if (!erased) return erased.error();
            if (*erased) space_.untagged(repository, **erased);
            return {};
          },
          kv::Durability::kLazy);
      if (!forgotten) log::warn("a deleted tag stays known", {{"error", forgotten.error().to_string()}});
      co_return registry::manifest_unknown(repository, tag.text());
    }
    co_return head.error();
  }
  Answer answer = Error(ErrorKind::kInternal, "nobody was asked");
  if (head->digest())
    answer = co_await by_digest(repository, *head->digest());
  else
    answer = co_await fetch(repository, reference);
  if (!answer) {
    if (is_down(answer.error())) co_return co_await last_known(repository, tag, answer.error());
    co_return answer;
  }
  auto kept = co_await keep_tag(repository, tag, answer->digest());
  if (!kept) log::warn("a tag could not be kept", {{"tag", tag.text()}, {"error", kept.error().to_string()}});
  co_return answer;
}

Task<Result<StoredManifest>> NodeCatalog::last_known(const RepositoryName& repository, const Tag& tag, Error why) {
  const Reference reference(tag);
  auto known = co_await held_.manifest(repository, reference);
  if (!known) co_return why;
  stale_.add();
  known->warn(std::string(kStale));
  co_return known;
}

Task<Result<StoredManifest>> NodeCatalog::fetch(const RepositoryName& repository, const Reference& reference) {
  misses_.add();
  std::string key = repository.text() + '\0' + reference.to_string();
  const std::size_t index = std::hash<std::string>()(key) % loops_.size();
  Loop& home = Loop::current();
  co_await loops_[index]->enter();
  Part& part = *parts_[index];
  auto& slot = part.flights[key];
  if (slot == nullptr) {
    slot = std::make_shared<Flight>(repository, reference);
    const auto started = slot;
    part.scope.spawn(fly(part, std::move(key), started));
  }
  const auto found = part.flights.find(repository.text() + '\0' + reference.to_string());
  const std::shared_ptr<Flight> flight = found->second;
  co_await flight->landed.wait();
  Answer answer = *flight->answer;
  co_await home.enter();
  co_return answer;
}

Task<void> NodeCatalog::fly(Part& part, std::string key, std::shared_ptr<Flight> flight) {
  co_await Loop::current().yield();  // whoever starts it finds it in the table
  auto answer = co_await upstream_.manifest(flight->repository, flight->reference);
  if (answer) {
    auto kept = co_await keep(flight->repository, *answer);
    // It is right all the same: a node without room still passes manifests on.
    if (!kept) log::warn("a manifest could not be kept", {{"error", kept.error().to_string()}});
  }
  flight->answer.emplace(std::move(answer));
  part.flights.erase(key);
  flight->landed.set();
}

Task<Result<void>> NodeCatalog::keep(const RepositoryName& repository, const StoredManifest& manifest) {
  const auto parsed = Manifest::parse(manifest.bytes(), manifest.media_type());
  std::string made;
  append_be64(made, static_cast<std::uint64_t>(to_millis(Clock::system().wall())));
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(tables::repository_key(repository), made);
    if (parsed)
      registry::put_manifest(transaction, repository, manifest.digest(), *parsed, manifest.bytes());
    else  // old forms are passed on like all others, but nothing is read out of them
      transaction.put(tables::manifest_key(repository, manifest.digest()),
                      tables::encode_manifest(manifest.media_type(), manifest.bytes()));
    return {};
  });
}

Task<Result<void>> NodeCatalog::keep_tag(const RepositoryName& repository, const Tag& tag, const Digest& digest) {
  auto known = co_await held_.resolve(repository, tag);
  if (known && *known == digest) co_return Result<void>();
  co_return co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        auto before = registry::put_tag(transaction, repository, tag.text(), digest);
        if (!before) return before.error();
        if (*before) space_.untagged(repository, **before);
        return {};
      },
      kv::Durability::kLazy);
}

Task<Result<NamePage>> NodeCatalog::tags(const RepositoryName& repository, std::string last, std::size_t limit) {
  auto page = co_await upstream_.tags(repository, last, limit);
  if (page || !is_down(page.error())) co_return page;
  const Error why = page.error();
  auto known = co_await held_.tags(repository, std::move(last), limit);
  if (!known) co_return why;
  stale_.add();
  known->warn(std::string(kStale));
  co_return known;
}

Task<Result<NamePage>> NodeCatalog::repositories(std::string last, std::size_t limit) {
  auto page = co_await upstream_.repositories(last, limit);
  if (page || !is_down(page.error())) co_return page;
  auto known = co_await held_.repositories(std::move(last), limit);
  if (known) known->warn(std::string(kStale));
  co_return known;
}

Task<Result<ReferrerPage>> NodeCatalog::referrers(const RepositoryName& repository, const Digest& digest,
                                                  std::string artifact_type, std::string last, std::size_t limit) {
  auto page = co_await upstream_.referrers(repository, digest, artifact_type, last, limit);
  if (page || !is_down(page.error())) co_return page;
  auto known = co_await held_.referrers(repository, digest, std::move(artifact_type), std::move(last), limit);
  if (known) known->warn(std::string(kStale));
  co_return known;
}

Task<void> NodeCatalog::stop() {
  Loop& home = Loop::current();
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    co_await loops_[i]->enter();
    co_await parts_[i]->scope.join();
  }
  co_await home.enter();
}

}  // namespace wherry::node
