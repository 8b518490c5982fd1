#include "master/replication/history.h"

#include "common/base/bytes.h"

namespace wherry::replication {
namespace {

constexpr std::size_t kMaxPoliciesBytes = std::size_t{64} << 20;

// X p name -> policy; X s name -> its state; X n -> the last execution's number; X e number -> execution;
// X i policy 0 number -> nothing; X t execution number -> task. Numbers of executions are kept as what is missing to
// the largest, so that the newest come first.
std::string policy_key(const std::string& name) { return "Xp" + name; }
std::string state_key(const std::string& name) { return "Xs" + name; }
const std::string kLastKey = "Xn";

std::string newest_first(std::string prefix, std::uint64_t id) {
  append_be64(prefix, UINT64_MAX - id);
  return prefix;
}
std::string execution_key(std::uint64_t id) { return newest_first("Xe", id); }
std::string index_prefix(const std::string& policy) { return "Xi" + policy + '\0'; }
std::string tasks_prefix(std::uint64_t execution) {
  std::string key = "Xt";
  append_be64(key, execution);
  return key;
}
std::string task_key(std::uint64_t execution, std::uint64_t number) {
  std::string key = tasks_prefix(execution);
  append_be64(key, number);
  return key;
}

std::string row_of(const api::Json& document) {
  return document.dump(-1, ' ', false, api::Json::error_handler_t::replace);
}

api::Json document_of(const std::string& row) { return api::Json::parse(row, nullptr, false); }

std::uint64_t id_in(std::string_view key, std::size_t prefix_bytes) {
  std::string_view rest = key.substr(prefix_bytes);
  return UINT64_MAX - take_be64(rest).value_or(UINT64_MAX);
}

}  // namespace

Task<Result<std::vector<Policy>>> History::policies() {
  auto page = co_await store_.scan(kv::ScanRequest("Xp", {}, kMaxPolicies, kMaxPoliciesBytes));
  if (!page) co_return page.error();
  std::vector<Policy> all;
  for (const auto& [key, row] : page->entries) {
    auto policy = Policy::parse(document_of(row));
    if (!policy) co_return Error(ErrorKind::kCorrupt, "a stored policy cannot be read").with_cause(policy.error());
    all.push_back(std::move(*policy));
  }
  co_return all;
}

Task<Result<Policy>> History::policy(std::string name) {
  auto row = co_await store_.get(policy_key(name));
  if (!row) co_return row.error();
  if (!*row) co_return Error(ErrorKind::kNotFound, "there is no replication policy {}", name);
  co_return Policy::parse(document_of(**row));
}

Task<Result<bool>> History::put_policy(Policy policy, bool only_new) {
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<bool> {
    const std::string key = policy_key(policy.name);
    auto there = transaction.exists(key);
    if (!there) return there.error();
    if (*there && only_new) return false;
    std::size_t count = 0;
    auto counted =
        transaction.scan("Xp", {}, [&](std::string_view, std::string_view) { return ++count < kMaxPolicies; });
    if (!counted) return counted.error();
    if (!*there && count >= kMaxPolicies)
      return Error(ErrorKind::kTooLarge, "there are {} policies, which is the most there may be", kMaxPolicies);
    transaction.put(key, row_of(policy.to_json()));
    return true;
  });
}

Task<Result<void>> History::remove_policy(std::string name) {
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto there = transaction.exists(policy_key(name));
    if (!there) return there.error();
    if (!*there) return Error(ErrorKind::kNotFound, "there is no replication policy {}", name);
    transaction.erase(policy_key(name));
    transaction.erase(state_key(name));
    return {};
  });
}

Task<Result<PolicyState>> History::state_of(std::string name) {
  auto row = co_await store_.get(state_key(name));
  if (!row) co_return row.error();
  co_return *row ? PolicyState::parse(document_of(**row)) : PolicyState();
}

Task<Result<void>> History::put_state(std::string name, PolicyState state) {
  const api::Json document = state.to_json();
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(state_key(name), row_of(document));
    return {};
  });
}

Task<Result<Execution>> History::begin(Execution execution) {
  auto begun = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto row = transaction.get(kLastKey);
    if (!row) return row.error();
    std::string_view last = *row ? std::string_view(**row) : std::string_view();
    execution.id = take_be64(last).value_or(0) + 1;
    std::string next;
    append_be64(next, execution.id);
    transaction.put(kLastKey, next);
    transaction.put(execution_key(execution.id), row_of(execution.to_json()));
    transaction.put(newest_first(index_prefix(execution.policy_name), execution.id), {});
    return {};
  });
  if (!begun) co_return begun.error();
  auto pruned = co_await prune(execution.policy_name);
  if (!pruned) co_return pruned.error();
  co_return execution;
}

Task<Result<void>> History::prune(std::string policy) {
  const std::string prefix = index_prefix(policy);
  auto page = co_await store_.scan(kv::ScanRequest(prefix, {}));
  if (!page) co_return page.error();
  for (std::size_t i = kKeptExecutions; i < page->entries.size(); ++i) {
    const std::uint64_t id = id_in(page->entries[i].first, prefix.size());
    auto old = co_await execution(id);
    if (old && !is_over(old->state)) continue;
    auto forgotten = co_await forget_tasks(id);
    if (!forgotten) co_return forgotten;
    auto erased = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
      transaction.erase(execution_key(id));
      transaction.erase(newest_first(prefix, id));
      return {};
    });
    if (!erased) co_return erased;
  }
  co_return Result<void>();
}

Task<Result<void>> History::put(Execution execution) {
  const std::string row = row_of(execution.to_json());
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(execution_key(execution.id), row);
    return {};
  });
}

Task<Result<Execution>> History::execution(std::uint64_t id) {
  auto row = co_await store_.get(execution_key(id));
  if (!row) co_return row.error();
  if (!*row) co_return Error(ErrorKind::kNotFound, "there is no replication execution {}", id);
  co_return Execution::parse(document_of(**row));
}

Task<Result<std::vector<Execution>>> History::executions(std::string policy, std::uint64_t before, std::size_t limit) {
  const std::string prefix = policy.empty() ? "Xe" : index_prefix(policy);
  std::string after = before == 0 ? std::string() : newest_first(prefix, before);
  auto page = co_await store_.scan(kv::ScanRequest(prefix, std::move(after), limit));
  if (!page) co_return page.error();
  std::vector<Execution> all;
  for (const auto& [key, row] : page->entries) {
    auto each = co_await execution(id_in(key, prefix.size()));
    if (!each && each.error().kind() == ErrorKind::kNotFound) continue;
    if (!each) co_return each.error();
    all.push_back(std::move(*each));
  }
  co_return all;
}

Task<Result<std::vector<Execution>>> History::unfinished() {
  std::vector<Execution> all;
  std::string after;
  while (true) {
    auto page = co_await store_.scan(kv::ScanRequest("Xe", after));
    if (!page) co_return page.error();
    for (const auto& [key, row] : page->entries) {
      auto each = Execution::parse(document_of(row));
      if (each && !is_over(each->state)) all.insert(all.begin(), std::move(*each));
    }
    if (!page->more) co_return all;
    after = page->entries.back().first;
  }
}

Task<Result<void>> History::add_tasks(std::uint64_t execution, std::vector<TaskRecord> tasks) {
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    for (const TaskRecord& task : tasks) transaction.put(task_key(execution, task.number), row_of(task.to_json()));
    return {};
  });
}

Task<Result<std::vector<TaskRecord>>> History::tasks(std::uint64_t execution, std::uint64_t after, std::size_t limit) {
  auto page = co_await store_.scan(kv::ScanRequest(tasks_prefix(execution), task_key(execution, after), limit));
  if (!page) co_return page.error();
  std::vector<TaskRecord> all;
  for (const auto& [key, row] : page->entries) {
    auto task = TaskRecord::parse(document_of(row));
    if (!task) co_return task.error();
    all.push_back(std::move(*task));
  }
  co_return all;
}

Task<Result<void>> History::forget_tasks(std::uint64_t execution) {
  while (true) {
    auto page = co_await store_.scan(kv::ScanRequest(tasks_prefix(execution), {}));
    if (!page) co_return page.error();
    auto erased = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
      for (const auto& [key, row] : page->entries) transaction.erase(key);
      return {};
    });
    if (!erased || !page->more) co_return erased;
  }
}

Task<Result<void>> History::put_task(Execution execution, TaskRecord task, bool lazy) {
  const std::string execution_row = row_of(execution.to_json());
  const std::string task_row = row_of(task.to_json());
  const auto durability = lazy ? kv::Durability::kLazy : kv::Durability::kSynced;
  co_return co_await store_.transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.put(execution_key(execution.id), execution_row);
        transaction.put(task_key(execution.id, task.number), task_row);
        return {};
      },
      durability);
}

}  // namespace wherry::replication
