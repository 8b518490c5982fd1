#include "bench/followers/state.h"

#include "common/async/run_on_loop.h"
#include "common/base/bytes.h"
#include "common/feed/log.h"
#include "common/feed/state.h"
#include "common/kv/for_each_row.h"
#include "common/kv/rocks_key_value.h"
#include "common/oci/hasher.h"

namespace wherry::bench {
namespace {

using Json = nlohmann::ordered_json;

/// Lengths come along: no two states are of the same bytes.
void take_row(Hasher& hasher, std::string_view key, std::string_view value) {
  hasher.update(fmt::format("{} {}\n", key.size(), value.size()));
  hasher.update(key);
  hasher.update(value);
}

Task<Result<Json>> read_state(kv::KeyValue& store) {
  auto head = co_await feed::head(store);
  if (!head) co_return head.error();
  Hasher rows;
  std::uint64_t count = 0;
  Json policies = Json::object();
  const std::string of_policies = feed::state_policies_prefix();
  const kv::VisitRow visit = [&](std::string_view key, std::string_view value) -> Result<void> {
    ++count;
    take_row(rows, key, value);
    if (key.starts_with(of_policies)) policies[std::string(key.substr(of_policies.size()))] = std::string(value);
    return {};
  };
  for (const std::string& prefix : feed::state_prefixes()) {
    auto read = co_await kv::for_each_row(store, prefix, visit);
    if (!read) co_return read.error();
  }
  auto projects = co_await feed::project_digests(store);
  if (!projects) co_return projects.error();
  Hasher digests;
  for (const auto& [project, digest] : *projects) take_row(digests, project, as_text(digest));
  co_return Json{{"position", head->position},
                 {"epoch", head->epoch},
                 {"rows", count},
                 {"names", rows.finish().to_string()},
                 {"digests", digests.finish().to_string()},
                 {"policies", std::move(policies)}};
}

Task<int> keep(kv::KeyValue& store, Result<Json>& outcome) {
  outcome = co_await read_state(store);
  co_return 0;
}

}  // namespace

Result<Json> state_of(const std::string& data) {
  Pool pool("disk", 1);
  auto store = kv::RocksKeyValue::open(data + "/names", pool, {});
  if (!store) return store.error();
  Result<Json> outcome = Json();
  run_on_loop([&] { return keep(**store, outcome); });
  store->reset();
  return outcome;
}

}  // namespace wherry::bench
