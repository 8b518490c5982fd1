#include "master/nodes/endpoints.h"

namespace wherry::master {
namespace {

using api::Answer;
using api::Call;
using api::Json;

constexpr const char* kTag = "nodes";

Json text() { return {{"type", "string"}}; }

Json node_schema() {
  return {{"type", "object"},
          {"properties",
           {{"name", text()},
            {"projects", api::list_of(text())},
            {"site", text()},
            {"added_at", {{"type", "string"}, {"format", "date-time"}}},
            {"joined", {{"type", "boolean"}}},
            {"last_seen", {{"type", Json::array({"string", "null"})}, {"format", "date-time"}}},
            {"report", {{"type", Json::array({"object", "null"})}}}}}};
}

/// A list of texts; empty when it is not there. Errors: kInvalid, naming it.
Result<std::vector<std::string>> texts_of(const Json& document, const char* member) {
  std::vector<std::string> texts;
  const auto found = document.find(member);
  if (found == document.end() || found->is_null()) return texts;
  const Error wrong(ErrorKind::kInvalid, "{}: a list of texts", member);
  if (!found->is_array()) return wrong;
  for (const Json& each : *found) {
    if (!each.is_string()) return wrong;
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

Task<Result<Answer>> list_nodes(NodeBook& book) { co_return Answer(book.list()); }

Task<Result<Answer>> add_node(NodeBook& book, Json document) {
  if (!document.is_object() || !document.contains("name") || !document["name"].is_string())
    co_return Error(ErrorKind::kInvalid, "name: how the node is to be called");
  auto projects = texts_of(document, "projects");
  if (!projects) co_return projects.error();
  const std::string name = document["name"];
  std::string site;
  if (document.contains("site") && document["site"].is_string()) site = document["site"];
  auto token = co_await book.add(name, std::move(*projects), std::move(site));
  if (!token) co_return token.error();
  const Json answer = {{"name", name}, {"join_token", *token}};
  co_return Answer(answer, 201).at("/api/v1/nodes/" + name);
}

Task<Result<Answer>> remove_node(NodeBook& book, std::string name, std::function<void()> removed) {
  auto gone = co_await book.remove(std::move(name));
  if (!gone) co_return gone.error();
  removed();
  co_return Answer::nothing();
}

}  // namespace

void add_node_endpoints(api::Api& api, NodeBook& book, std::function<void()> removed) {
  api.add_schema("Node", node_schema());
  api.add({.method = "GET",
           .path = "/api/v1/nodes",
           .id = "listNodes",
           .tag = kTag,
           .summary = "All nodes, by name, with what each last said of itself and of its children",
           .response = api::list_of(api::ref("Node")),
           .handler = [&book](const Call&) { return list_nodes(book); }});
  api.add({.method = "POST",
           .path = "/api/v1/nodes",
           .id = "addNode",
           .tag = kTag,
           .summary = "A new node; its join token is told once and holds for a day",
           .request = {{"type", "object"},
                       {"properties", {{"name", text()}, {"projects", api::list_of(text())}, {"site", text()}}},
                       {"required", Json::array({"name"})}},
           .response = {{"type", "object"}, {"properties", {{"name", text()}, {"join_token", text()}}}},
           .status = 201,
           .handler = [&book](const Call& call) { return add_node(book, call.body()); }});
  api.add({.method = "DELETE",
           .path = "/api/v1/nodes/{name}",
           .id = "removeNode",
           .tag = kTag,
           .summary = "Ends a node's streams and its certificate",
           .handler = [&book, removed](const Call& call) { return remove_node(book, call.path("name"), removed); }});
}

}  // namespace wherry::master
