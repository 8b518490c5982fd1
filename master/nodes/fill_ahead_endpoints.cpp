#include "master/nodes/fill_ahead_endpoints.h"

#include "common/auth/node_identity.h"
#include "common/feed/fill_ahead_policy.h"
#include "common/feed/log.h"
#include "common/kv/for_each_row.h"

namespace wherry::master {
namespace {

using api::Answer;
using api::Call;
using api::Json;
using feed::FillAheadPolicy;

constexpr const char* kReplicationTag = "replication";
constexpr const char* kPath = "/api/v1/replication/fill-ahead";

Json policy_schema() {
  const Json texts = api::list_of({{"type", "string"}});
  return {{"type", "object"},
          {"properties", {{"repositories", texts}, {"tags", texts}, {"nodes", texts}, {"platforms", texts}}},
          {"additionalProperties", false}};
}

std::string feed_name(const std::string& name) { return std::string(FillAheadPolicy::kPrefix) + name; }
std::string row_key(const std::string& name) { return feed::state_policies_prefix() + feed_name(name); }

Error unknown_policy(const std::string& name) {
  return Error(ErrorKind::kNotFound, "there is no fill-ahead policy {}", name.substr(0, 80));
}

Task<Result<Answer>> list_policies(kv::KeyValue& store) {
  const std::string prefix = row_key("");
  Json policies = Json::object();
  const kv::VisitRow add = [&](std::string_view key, std::string_view json) -> Result<void> {
    policies[std::string(key.substr(prefix.size()))] = Json::parse(json, nullptr, false);
    return {};
  };
  auto read = co_await kv::for_each_row(store, prefix, add);
  if (!read) co_return read.error();
  co_return Answer(policies);
}

Task<Result<Answer>> put_policy(kv::KeyValue& store, std::string name, Json document) {
  if (!auth::is_node_name(name))
    co_return Error(ErrorKind::kInvalid, "name: 1 to 63 of a-z, 0-9 and '-', with letters or digits at both ends");
  const std::string json = document.dump();
  auto policy = FillAheadPolicy::parse(json);
  if (!policy) co_return policy.error();
  const WallTime now = Clock::system().wall();
  auto put = co_await store.transact([&](kv::Transaction& transaction) -> Result<void> {
    return feed::append(transaction, feed::Change::policy_set(feed_name(name), json, now));
  });
  if (!put) co_return put.error();
  co_return Answer(std::move(document));
}

Task<Result<Answer>> remove_policy(kv::KeyValue& store, std::string name) {
  const WallTime now = Clock::system().wall();
  auto removed = co_await store.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto there = transaction.exists(row_key(name));
    if (!there) return there.error();
    if (!*there) return unknown_policy(name);
    return feed::append(transaction, feed::Change::policy_removed(feed_name(name), now));
  });
  if (!removed) co_return removed.error();
  co_return Answer::nothing();
}

}  // namespace

void add_fill_ahead_endpoints(api::Api& api, kv::KeyValue& store) {
  api.add_schema("FillAheadPolicy", policy_schema());
  const Json policy = api::ref("FillAheadPolicy");
  api.add({.method = "GET",
           .path = kPath,
           .id = "listFillAheadPolicies",
           .tag = kReplicationTag,
           .summary = "Which images which nodes bring in before anybody asks, by the policy's name",
           .response = {{"type", "object"}, {"additionalProperties", policy}},
           .handler = [&store](const Call&) { return list_policies(store); }});
  api.add({.method = "PUT",
           .path = std::string(kPath) + "/{name}",
           .id = "putFillAheadPolicy",
           .tag = kReplicationTag,
           .summary = "Makes or replaces a policy; nodes carry it out from their next tag that is set",
           .request = policy,
           .response = policy,
           .handler = [&store](const Call& call) { return put_policy(store, call.path("name"), call.body()); }});
  api.add({.method = "DELETE",
           .path = std::string(kPath) + "/{name}",
           .id = "deleteFillAheadPolicy",
           .tag = kReplicationTag,
           .summary = "Removes a policy; what it brought stays",
           .handler = [&store](const Call& call) { return remove_policy(store, call.path("name")); }});
}

}  // namespace wherry::master
