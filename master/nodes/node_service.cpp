#include "master/nodes/node_service.h"

#include "common/auth/token_gate.h"
#include "common/http/problem.h"

namespace wherry::master {
namespace {

std::string text_of(const api::Json& document, const char* member) {
  const auto found = document.find(member);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

api::Json answer_of(const NodeBook::Joined& joined, const auth::NodeCertificate& authority) {
  return {{"certificate", joined.certificate.pem()},
          {"authority", authority.pem()},
          {"projects", joined.record.projects},
          {"site", joined.record.site}};
}

/// Nested deeper than a tree of nodes is, a document is somebody's attempt at the parser.
bool is_too_deep(int depth, nlohmann::detail::parse_event_t, api::Json&) { return depth <= 64; }

}  // namespace

Task<Result<void>> NodeService::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string place(request.path.substr(kPrefix.size()));
  if (request.method != "POST" || (place != "join" && place != "renew" && place != "report"))
    co_return Error(ErrorKind::kNotFound, "there are POST join, renew and report");
  auto body = co_await exchange.read_whole_body(NodeBook::kMaxReportBytes);
  if (!body) co_return body.error();
  api::Json document = api::Json::parse(*body, is_too_deep, false);
  if (!document.is_object()) co_return Error(ErrorKind::kInvalid, "the body is not a JSON object");
  Result<api::Json> answer = api::Json::object();
  if (place == "join") {
    answer = co_await join(document, auth::address_of(exchange.remote()));
  } else {
    auto name = book_.who(request, *body);
    if (!name) co_return name.error();
    if (!*name) co_return Error(ErrorKind::kUnauthorized, "only a registered node may do that");
    if (place == "renew") {
      answer = co_await renew(**name, document, auth::address_of(exchange.remote()));
    } else if (auto taken = book_.report(**name, std::move(document), body->size()); !taken) {
      answer = taken.error();
    }
  }
  if (!answer) co_return answer.error();
  http::Response response(200);
  response.body("application/json", answer->dump() + "\n");
  co_return co_await exchange.send(std::move(response));
}

void NodeService::note(const char* action, const NodeBook::Joined& joined, std::string remote) {
  audit::AuditEvent event(action, "node/" + joined.record.name);
  event.actor.id = joined.certificate.serial();
  event.actor.name = joined.record.name;
  event.actor.kind = audit::ActorKind::kNode;
  event.remote = std::move(remote);
  audit_.note(std::move(event));
}

Task<Result<api::Json>> NodeService::join(const api::Json& document, std::string remote) {
  auto joined =
      co_await book_.join(text_of(document, "name"), text_of(document, "proof"), text_of(document, "request"));
  if (!joined) co_return joined.error();
  note("node.join", *joined, std::move(remote));
  co_return answer_of(*joined, book_.authority());
}

Task<Result<api::Json>> NodeService::renew(const std::string& name, const api::Json& document, std::string remote) {
  auto joined = co_await book_.renew(name, text_of(document, "request"));
  if (!joined) co_return joined.error();
  note("node.renew", *joined, std::move(remote));
  co_return answer_of(*joined, book_.authority());
}

http::Response NodeService::render(const Error& error) const { return http::problem_of(error); }

}  // namespace wherry::master
