// /api/v1/audit
#include "master/audit/reader.h"
#include "master/identity/endpoints.h"

namespace wherry::identity {
namespace {

using api::Answer;
using api::Call;
using api::Needs;

constexpr std::uint64_t kUsualEvents = 100;

Result<audit::AuditQuery> read_query(const Call& call) {
  audit::AuditQuery query;
  for (const auto& [name, time] : {std::pair("since", &query.since), std::pair("until", &query.until)}) {
    const auto text = call.query(name);
    if (!text) continue;
    *time = audit::parse_time(*text);
    if (!*time) return Error(ErrorKind::kInvalid, "{}: a date or a time such as 2026-11-24T14:15:58Z", name);
  }
  query.actor = call.query("actor").value_or("");
  query.action = call.query("action").value_or("");
  query.target = call.query("target").value_or("");
  auto limit = call.number("n", kUsualEvents, 1, kMostItems);
  if (!limit) return limit.error();
  auto before = call.number("before", 0, 0, UINT64_MAX);
  if (!before) return before.error();
  query.limit = *limit;
  query.before = *before;
  query.newest = true;
  return query;
}

Task<Result<Answer>> list_events(Pool& disk, std::string folder, const Call& call) {
  auto query = read_query(call);
  if (!query) co_return query.error();
  auto page = co_await disk.run([&] { return audit::AuditReader(folder).read(*query); });
  if (!page) co_return page.error();
  Json items = Json::array();
  for (const audit::AuditRecord& record : page->records) items.push_back(Json::parse(record.line, nullptr, false));
  Json answer = {{"items", std::move(items)}};
  answer["next_before"] = page->more && !page->records.empty() ? Json(page->records.front().sequence) : Json();
  co_return Answer(std::move(answer));
}

}  // namespace

void add_audit_endpoints(api::Api& api, Pool& disk, std::string folder) {
  std::vector<api::QueryParameter> query;
  for (const auto& [name, meaning] :
       {std::pair("since", "not before this time"), std::pair("until", "before this time"),
        std::pair("actor", "whose, a whole name"), std::pair("action", "what the action begins with"),
        std::pair("target", "what the target begins with"), std::pair("n", "how many at most: the newest"),
        std::pair("before", "only sequences below: next_before of the page before")})
    query.push_back({.name = name, .description = meaning});
  api.add({.method = "GET",
           .path = "/api/v1/audit",
           .id = "listAuditEvents",
           .tag = "audit",
           .summary = "Who did what: the newest events that fit, oldest first",
           .query = std::move(query),
           .response = {{"type", "object"}, {"properties", {{"items", api::list_of({{"type", "object"}})}}}},
           .handler = [&disk, folder](const Call& call) { return list_events(disk, folder, call); },
           .needs = Needs::in_registry(auth::Permission::kReadAudit)});
}

}  // namespace wherry::identity
