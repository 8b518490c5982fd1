#include "master/replication/finder.h"

#include "common/feed/log.h"
#include "master/replication/source_feed.h"

namespace wherry::replication {
namespace {

Wants wanted_at_source(const Policy& policy) {
  return [&policy](const std::string& repository) { return policy.wants_repository(repository); };
}

/// What a repository of the target is called at the source, when the policy wants that.
std::optional<std::string> source_name(const Policy& policy, const std::string& target) {
  auto parsed = RepositoryName::parse(target);
  if (!parsed) return std::nullopt;
  auto source = policy.destination.source_of(*parsed);
  if (!source || !policy.wants_repository(source->text())) return std::nullopt;
  return source->text();
}

Wants wanted_at_target(const Policy& policy) {
  return [&policy](const std::string& repository) { return source_name(policy, repository).has_value(); };
}

constexpr const char* kAskedFor = "it was asked for";

}  // namespace

Task<Result<Finder::Work>> Finder::find(Execution& execution) {
  if (policy_.direction == Direction::kPush) co_return co_await find_here(execution);
  co_return co_await find_there(execution);
}

Task<Result<Finder::Work>> Finder::find_here(Execution& execution) {
  auto head = co_await feed::head(names_);
  if (!head) co_return head.error();
  execution.position = head->position;
  Work work;
  if (!state_.position) {
    execution.found = Found::all("no run of this policy as it is now has succeeded");
    co_return work;
  }
  auto changes = co_await changes_here(names_, *state_.position, head->position, wanted_at_source(policy_));
  if (!changes) co_return changes.error();
  if (!*changes) {
    execution.found = Found::all("too much has changed, or the log does not go back that far");
    co_return work;
  }
  work.whole = execution.full;
  work.changes = std::move(**changes);
  execution.found = execution.full ? Found::all(kAskedFor) : Found::by_feed(*state_.position, head->position);
  co_return work;
}

Task<Result<Finder::Work>> Finder::find_there(Execution& execution) {
  auto head = co_await feed::head(names_);
  if (!head) co_return head.error();
  execution.position = head->position;
  SourceFeed feed(remote_, wanted_at_source(policy_));
  auto reading = co_await feed.read(state_.source, execution.full);
  if (!reading) co_return reading.error();
  if (state_.source.key.empty() && !reading->place.key.empty()) {
    auto pinned = co_await pin_(reading->place.key);
    if (!pinned) co_return pinned.error();
    state_.source.key = reading->place.key;
  }
  execution.source = reading->place;
  Work work;
  if (!reading->changes) {
    execution.found = Found::all(std::move(reading->because));
    co_return work;
  }
  work.changes = std::move(*reading->changes);
  auto told = co_await add_strays(work.changes, head->position);
  if (!told) co_return told.error();
  work.whole = execution.full || !*told;
  if (!work.whole)
    execution.found = Found::by_feed(state_.source.at->position, reading->place.at->position);
  else
    execution.found = Found::all(execution.full ? kAskedFor : "too much has changed here meanwhile");
  co_return work;
}

Task<Result<bool>> Finder::add_strays(Changes& changes, std::uint64_t head) {
  if (!state_.position) co_return false;
  auto here = co_await changes_here(names_, *state_.position, head, wanted_at_target(policy_));
  if (!here) co_return here.error();
  if (!*here) co_return false;
  std::set<std::string> strays(state_.strays.begin(), state_.strays.end());
  for (const auto& [target, what] : (*here)->repositories) strays.insert(target);
  for (const std::string& target : strays)
    if (const auto source = source_name(policy_, target)) changes.repositories[*source].whole = true;
  co_return true;
}

Task<Result<std::optional<std::vector<std::string>>>> strays_of(kv::KeyValue& names, const Policy& policy,
                                                                std::uint64_t position, std::uint64_t head,
                                                                std::map<std::string, std::uint64_t> own) {
  using Strays = std::optional<std::vector<std::string>>;
  auto counts = co_await entries_here(names, position, head, wanted_at_target(policy));
  if (!counts) co_return counts.error();
  if (!*counts) co_return Strays();
  std::vector<std::string> strays;
  for (const auto& [repository, count] : **counts) {
    const auto mine = own.find(repository);
    if (mine == own.end() || mine->second != count) strays.push_back(repository);
  }
  if (strays.size() > PolicyState::kMaxStrays) co_return Strays();
  co_return Strays(std::move(strays));
}

}  // namespace wherry::replication
