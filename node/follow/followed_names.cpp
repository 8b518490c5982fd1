#include "node/follow/followed_names.h"

#include <algorithm>

#include "common/feed/state.h"

namespace wherry::node {

using registry::NamePage;

std::optional<FollowedNames::Standing> FollowedNames::standing() const {
  if (!complete_.load(std::memory_order_acquire)) return std::nullopt;
  const auto since = Clock::system().wall() - from_millis(said_at_ms_.load(std::memory_order_relaxed));
  const auto age = std::max(since, std::chrono::milliseconds(0));
  return Standing{position_.load(std::memory_order_acquire), std::chrono::duration_cast<std::chrono::seconds>(age)};
}

void FollowedNames::advance(const feed::SignedHead& head, bool complete) {
  position_.store(head.head.position, std::memory_order_release);
  said_at_ms_.store(to_millis(head.time), std::memory_order_relaxed);
  if (complete) complete_.store(true, std::memory_order_release);
}

bool FollowedNames::is_ahead(std::uint64_t position) const {
  return position > position_.load(std::memory_order_acquire) || !complete_.load(std::memory_order_acquire);
}

void FollowedNames::note_ahead(const RepositoryName& repository, const Tag& tag, std::uint64_t position) {
  const bool complete = complete_.load(std::memory_order_acquire);
  answered_ahead_.note(repository, tag, position, complete ? position_.load(std::memory_order_acquire) : 0);
}

Task<Result<bool>> FollowedNames::knows(const RepositoryName& repository) const {
  auto row = co_await store_.get(feed::state_repository_key(repository.text()));
  if (!row) co_return row.error();
  co_return row->has_value();
}

Task<Result<Digest>> FollowedNames::tag(const RepositoryName& repository, const Tag& tag) {
  auto row = co_await store_.get_hot(feed::state_tag_key(repository.text(), tag.text()));
  if (!row) co_return row.error();
  if (!*row) co_return registry::manifest_unknown(repository, tag.text());
  co_return Digest::from_binary(**row);
}

Task<Result<NamePage>> FollowedNames::names(std::string prefix, std::string last, std::size_t limit) {
  const std::size_t skip = prefix.size();
  std::string after = last.empty() ? std::string() : prefix + last;
  auto page = co_await store_.scan(kv::ScanRequest(std::move(prefix), std::move(after), limit));
  if (!page) co_return page.error();
  std::vector<std::string> names;
  names.reserve(page->entries.size());
  for (const auto& [key, value] : page->entries) names.push_back(key.substr(skip));
  co_return NamePage(std::move(names), page->more);
}

Task<Result<NamePage>> FollowedNames::tags(const RepositoryName& repository, std::string last, std::size_t limit) {
  auto known = co_await store_.get(feed::state_repository_key(repository.text()));
  if (!known) co_return known.error();
  if (!*known) co_return registry::name_unknown(repository);
  if (limit == 0) co_return NamePage({}, false);
  co_return co_await names(feed::state_tags_prefix(repository.text()), std::move(last), limit);
}

Task<Result<NamePage>> FollowedNames::repositories(std::string last, std::size_t limit) {
  if (limit == 0) co_return NamePage({}, false);
  co_return co_await names(feed::state_repositories_prefix(), std::move(last), limit);
}

}  // namespace wherry::node
