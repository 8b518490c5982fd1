#include "node/follow/answered_ahead.h"

#include <algorithm>
#include <utility>

#include "common/base/bytes.h"
#include "common/kv/for_each_row.h"
#include "node/follow/follow_rows.h"

namespace wherry::node {
namespace {

Result<std::uint64_t> position_in(std::string_view row) {
  const auto position = take_be64(row);
  if (!position) return Error(ErrorKind::kCorrupt, "the row of a tag that was answered ahead of the feed is damaged");
  return *position;
}

/// 0 when there is none.
Result<std::uint64_t> stored(kv::Transaction& transaction, std::string_view key) {
  auto row = transaction.get(key);
  if (!row) return row.error();
  if (!*row) return std::uint64_t{0};
  return position_in(**row);
}

}  // namespace

void AnsweredAhead::insert(std::string row, std::uint64_t position, std::uint64_t applied) {
  std::erase_if(known_, [&](const auto& each) {
    const bool covered = each.second <= applied;
    if (covered) no_longer_.push_back(each);
    return covered;
  });
  auto& known = known_[std::move(row)];
  known = std::max(known, position);
  if (known_.size() > kMost) {
    const auto nearest = std::ranges::min_element(known_, {}, [](const auto& each) { return each.second; });
    no_longer_.push_back(*nearest);
    known_.erase(nearest);
  }
  if (position > furthest_.load(std::memory_order_relaxed)) furthest_.store(position, std::memory_order_release);
}

Task<Result<void>> AnsweredAhead::load(std::uint64_t applied) {
  std::vector<std::pair<std::string, std::uint64_t>> found;
  const kv::VisitRow read = [&](std::string_view key, std::string_view row) -> Result<void> {
    const auto position = position_in(row);
    if (!position) return position.error();
    found.emplace_back(key, *position);
    return {};
  };
  auto loaded = co_await kv::for_each_row(store_, rows::answered_ahead_prefix(), read);
  if (!loaded) co_return loaded;
  const std::lock_guard lock(mutex_);
  for (auto& [key, position] : found) {
    if (position > applied)
      insert(std::move(key), position, applied);
    else
      no_longer_.emplace_back(std::move(key), position);
  }
  co_return loaded;
}

void AnsweredAhead::note(const RepositoryName& repository, const Tag& tag, std::uint64_t position,
                         std::uint64_t applied) {
  const std::lock_guard lock(mutex_);
  insert(rows::answered_ahead_key(repository.text(), tag.text()), position, applied);
}

Result<void> AnsweredAhead::put(kv::Transaction& transaction, const RepositoryName& repository, const Tag& tag,
                                std::uint64_t position) {
  std::vector<std::pair<std::string, std::uint64_t>> no_longer;
  {
    const std::lock_guard lock(mutex_);
    no_longer.swap(no_longer_);
  }
  for (const auto& [key, said] : no_longer) {
    auto now = stored(transaction, key);
    if (!now) return now.error();
    if (*now <= said) transaction.erase(key);
  }
  const std::string key = rows::answered_ahead_key(repository.text(), tag.text());
  auto now = stored(transaction, key);
  if (!now) return now.error();
  std::string row;
  append_be64(row, position);
  if (position > *now) transaction.put(key, row);
  return {};
}

bool AnsweredAhead::is_behind(const RepositoryName& repository, const Tag& tag, std::uint64_t position) const {
  if (position >= furthest_.load(std::memory_order_acquire)) return false;
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(rows::answered_ahead_key(repository.text(), tag.text()));
  return found != known_.end() && found->second > position;
}

Result<bool> AnsweredAhead::is_behind(kv::Transaction& transaction, const RepositoryName& repository,
                                      std::string_view tag, std::uint64_t position) {
  auto said = stored(transaction, rows::answered_ahead_key(repository.text(), tag));
  if (!said) return said.error();
  return *said > position;
}

Task<Result<void>> AnsweredAhead::forget() {
  auto erased = co_await store_.transact([](kv::Transaction& transaction) -> Result<void> {
    std::vector<std::string> keys;
    auto looked = transaction.scan(rows::answered_ahead_prefix(), {}, [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    });
    if (!looked) return looked;
    for (const std::string& key : keys) transaction.erase(key);
    return {};
  });
  if (!erased) co_return erased;
  const std::lock_guard lock(mutex_);
  known_.clear();
  no_longer_.clear();
  furthest_.store(0, std::memory_order_release);
  co_return erased;
}

}  // namespace wherry::node
