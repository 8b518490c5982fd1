#include "master/api/api.h"

#include <algorithm>

#include "common/async/at_home.h"
#include "common/auth/token_gate.h"
#include "common/base/log.h"
#include "common/http/uri.h"
#include "master/api/browser_guard.h"
#include "master/api/openapi.h"
#include "master/api/problem.h"
#include "master/audit/actor.h"

namespace wherry::api {
namespace {

constexpr const char* kRequests = "wherry_api_requests_total";
constexpr const char* kNotWritten =
    "nothing was changed, for it could not be written down: the disk of the audit log has no room; make some, and try "
    "again";
constexpr const char* kRequestsHelp = "Requests to the administration API, by how they were answered";

Result<Json> read_document(const std::string& text) {
  bool too_deep = false;  // nlohmann ends and writes what it read by recursion
  const auto bounded = [&](int depth, Json::parse_event_t, const Json&) {
    too_deep = too_deep || depth > Api::kMaxDepth;
    return !too_deep;
  };
  auto document = Json::parse(text, bounded, false);
  if (too_deep) return Error(ErrorKind::kInvalid, "the document is nested deeper than {} levels", Api::kMaxDepth);
  if (document.is_discarded()) return Error(ErrorKind::kInvalid, "the document is not JSON");
  return document;
}

http::Response response_of(const Answer& answer) {
  http::Response response(answer.status());
  response.header("Cache-Control", "no-store").header("X-Content-Type-Options", "nosniff");
  if (!answer.location().empty()) response.header("Location", answer.location());
  if (!answer.etag().empty()) response.header("ETag", answer.etag());
  // What came from outside need not be UTF-8.
  if (!answer.body().is_null())
    response.body(answer.is_problem() ? kProblemType : "application/json",
                  answer.body().dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  return response;
}

/// Errors: kUnauthorized for who has not said who he is or has a token for something else, kDenied; kNotFound for a
/// project of which he may not even know that it is there.
Result<void> check_needs(const auth::Visitor& visitor, const Needs& needs, std::string_view project) {
  using May = auth::Visitor::May;
  if (visitor.is_everyone() || needs.where == Needs::Where::kNothing) return {};
  if (visitor.who().is_anonymous()) return Error(ErrorKind::kUnauthorized, "log in first");
  if (needs.where == Needs::Where::kLogin) {
    const bool covered = visitor.claims()->covers(auth::kRegistryScope, auth::kApiName, {}, auth::Scope::Action::kAny);
    if (!covered) return Error(ErrorKind::kUnauthorized, "this token was not asked for the administration");
    return {};
  }
  const bool in_project = needs.where == Needs::Where::kProject;
  const May may =
      in_project ? visitor.may_in_project(needs.permission, project) : visitor.may_everywhere(needs.permission);
  if (may == May::kYes) return {};
  if (may == May::kWithAnotherToken)
    return Error(ErrorKind::kUnauthorized, "this token was not asked for the administration");
  if (in_project && visitor.may_in_project(auth::Permission::kReadProject, project) == May::kNo)
    return Error(ErrorKind::kNotFound, "there is no project {}, or you have no right in it", project);
  return Error(ErrorKind::kDenied, "{} has no right to do that: it takes {}", visitor.who().name,
               auth::name_of(needs.permission));
}

}  // namespace

Api::Api(Loop& home, auth::Gate& gate, Metrics& metrics)
    : home_(home),
      gate_(gate),
      good_(metrics.counter(kRequests, kRequestsHelp, "status", "2xx")),
      refused_(metrics.counter(kRequests, kRequestsHelp, "status", "4xx")),
      failed_(metrics.counter(kRequests, kRequestsHelp, "status", "5xx")) {
  add({.method = "GET",
       .path = std::string(kDocumentPath),
       .id = "getOpenApi",
       .tag = "api",
       .summary = "This document",
       .response = {{"type", "object"}},
       .handler = [this](const Call&) { return describe(); },
       .needs = Needs::nothing()});
}

void Api::add(Endpoint endpoint) {
  if (!endpoint.needs)
    endpoint.needs =
        Needs::in_registry(endpoint.method == "GET" ? auth::Permission::kReadSystem : auth::Permission::kManageSystem);
  routes_.push_back({endpoint.method, PathPattern(endpoint.path), endpoint.handler, *endpoint.needs, endpoint.id});
  endpoints_.push_back(std::move(endpoint));
}

Api::Found Api::find(std::string_view method, std::string_view path) const {
  Found found;
  std::size_t fixed = 0;
  for (const Route& route : routes_) {
    auto values = route.pattern.match(path);
    if (!values || (!found.allow.empty() && route.pattern.fixed_parts() < fixed)) continue;
    if (route.pattern.fixed_parts() > fixed) found = {};
    fixed = route.pattern.fixed_parts();
    found.allow += (found.allow.empty() ? "" : ", ") + route.method;
    if (route.method == "GET") found.allow += ", HEAD";
    if (route.method != method && !(route.method == "GET" && method == "HEAD")) continue;
    found.route = &route;
    found.values = std::move(*values);
  }
  return found;
}

Task<Result<void>> Api::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  auto found = find(request.method, request.path);
  if (found.allow.empty()) co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
  if (found.route == nullptr) {
    auto refused = response_of(Answer::problem(405, "this method is not among those of this path"));
    refused.header("Allow", found.allow);
    co_return co_await exchange.send(std::move(refused));
  }
  auto answered = co_await answer(exchange, *found.route, std::move(found.values));
  if (!answered && answered.error().kind() == ErrorKind::kUnauthorized) {
    auto challenged = response_of(problem_of(answered.error()));
    challenged.header("WWW-Authenticate", gate_.challenge(request, "registry:api:*", {}));
    co_return co_await exchange.send(std::move(challenged));
  }
  if (!answered) co_return answered.error();
  auto response = response_of(*answered);
  co_return co_await exchange.send(std::move(response));
}

Task<Result<auth::Visitor>> Api::visitor_of(http::Exchange& exchange, const Needs& needs) {
  Result<auth::Visitor> visitor = auth::Visitor::everyone();
  if (auto known = gate_.try_admit(exchange))
    visitor = std::move(*known);
  else
    visitor = co_await gate_.admit(exchange);
  // Who may not log in for now (with a password that has to be changed) may still do what everybody may.
  if (!visitor && needs.where == Needs::Where::kNothing)
    co_return auth::Visitor(std::make_shared<auth::Policy>(), nullptr);
  co_return visitor;
}

Task<Result<Answer>> Api::answer(http::Exchange& exchange, const Route& route,
                                 std::map<std::string, std::string> path) {
  const http::Request& request = exchange.request();
  auto visitor = co_await visitor_of(exchange, route.needs);
  if (!visitor) co_return visitor.error();
  const auto project = path.find("project");
  const std::string place = project == path.end() ? std::string() : project->second;
  auto may = check_needs(*visitor, route.needs, place);
  const bool changes = request.method != "GET" && request.method != "HEAD";
  if (!may && audit_ != nullptr && changes && !visitor->who().is_anonymous()) {
    audit::AuditEvent denied("api." + route.id, std::string(request.path));
    denied.actor = audit::actor_of(visitor->who());
    denied.remote = auth::address_of(exchange.remote());
    denied.result = audit::Outcome::kDenied;
    denied.reason = may.error().message();
    audit_->note(std::move(denied));
  }
  if (!may) co_return may.error();
  if (!http::is_well_escaped(request.query))
    co_return Error(ErrorKind::kInvalid, "the query holds a percent sign that begins no escape");
  auto admitted = admit(request);
  if (!admitted) co_return admitted.error();
  Json document;
  if (request.has_body()) {
    auto text = co_await exchange.read_whole_body(kMaxBodyBytes);
    if (!text) co_return text.error();
    // A body may take its time: what was taken back meanwhile counts.
    visitor = co_await visitor_of(exchange, route.needs);
    if (!visitor) co_return visitor.error();
    may = check_needs(*visitor, route.needs, place);
    if (!may) co_return may.error();
    auto read = read_document(*text);
    if (!read) co_return read.error();
    document = std::move(*read);
  }
  Call call(std::move(path), std::string(request.query), std::move(document), std::move(*visitor));
  call.came_from(auth::address_of(exchange.remote()));
  call.set_if_match(std::string(request.header("if-match")));
  if (audit_ == nullptr || !changes) co_return co_await run_at_home(route.handler, call);
  co_return co_await run_audited(std::string(request.method), std::string(request.path), route, call);
}

Task<Result<Answer>> Api::describe() { co_return Answer(openapi_document(endpoints_, schemas_)); }

Task<Result<Answer>> Api::run_audited(std::string method, std::string place, const Route& route, const Call& call) {
  audit::AuditEvent event("api." + route.id, place);
  event.actor = audit::actor_of(call.visitor().who());
  event.remote = call.remote();
  const Found shown = find("GET", place);
  // Of a collection that gets one more the whole of it is not what it was before.
  if (shown.route != nullptr && method != "POST") {
    const Call look(shown.values, {}, {}, call.visitor());
    auto before = co_await run_at_home(shown.route->handler, look);
    if (before) event.before = audit::AuditDocument(before->body());
  }
  auto room = co_await audit_->room();
  if (!room && room.error().kind() == ErrorKind::kNoSpace) {
    log::warn("a change was refused, for the audit log has no room", {{"error", room.error().to_string()}});
    co_return Answer::problem(507, kNotWritten);
  }
  if (!room) co_return room.error();
  auto answered = co_await run_at_home(route.handler, call);
  if (answered && !answered->is_problem()) {
    event.after = audit::AuditDocument(answered->body());
    if (answered->done_by()) event.actor = audit::actor_of(*answered->done_by());
  } else {
    const bool refused = !answered && (answered.error().kind() == ErrorKind::kDenied ||
                                       answered.error().kind() == ErrorKind::kUnauthorized);
    event.result = refused ? audit::Outcome::kDenied : audit::Outcome::kFailed;
    event.reason = answered ? "refused" : answered.error().message();
  }
  // Who was not even looked at, for he tries too often, does not fill the log.
  if (!answered && answered.error().kind() == ErrorKind::kTooManyRequests && call.visitor().who().is_anonymous())
    co_return answered;
  auto written = co_await audit_->record(std::move(event), *room);
  if (!written && answered)
    co_return Error(ErrorKind::kInternal, "this was done, but could not be written to the audit log")
        .with_cause(written.error());
  co_return answered;
}

Task<Result<Answer>> Api::run_at_home(const Handler& handler, const Call& call) {
  const std::function<Task<Result<Answer>>()> answering = [&] { return handler(call); };
  co_return co_await at_home(home_, answering);
}

http::Response Api::render(const Error& error) const {
  const Answer answer = problem_of(error);
  if (answer.status() >= 500) log::warn("a request to the API failed", {{"error", error.to_string()}});
  auto response = response_of(answer);
  if (error.retry_after()) response.header("Retry-After", std::to_string(error.retry_after()->count()));
  return response;
}

void Api::finished(const http::Exchange& exchange, Duration) {
  if (exchange.status() >= 500)
    failed_.add();
  else if (exchange.status() >= 400)
    refused_.add();
  else
    good_.add();
}

}  // namespace wherry::api
