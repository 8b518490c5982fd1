#include "master/api/openapi.h"

#include "common/base/lower_case.h"
#include "master/api/path_pattern.h"
#include "master/api/problem.h"

namespace wherry::api {
namespace {

Json content(std::string_view type, const Json& schema) { return {{std::string(type), {{"schema", schema}}}}; }

Json describe(const Endpoint& endpoint) {
  Json operation;
  operation["operationId"] = endpoint.id;
  operation["tags"] = Json::array({endpoint.tag});
  operation["summary"] = endpoint.summary;
  Json parameters = Json::array();
  for (const std::string& name : PathPattern(endpoint.path).names())
    parameters.push_back({{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  for (const QueryParameter& parameter : endpoint.query)
    parameters.push_back({{"name", parameter.name},
                          {"in", "query"},
                          {"description", parameter.description},
                          {"schema", parameter.schema}});
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (!endpoint.request.is_null())
    operation["requestBody"] = {{"required", true}, {"content", content("application/json", endpoint.request)}};
  Json answer = {{"description", "all is well"}};
  const bool is_empty = endpoint.response.is_null();
  if (!is_empty) answer["content"] = content("application/json", endpoint.response);
  operation["responses"] = {
      {is_empty ? "204" : std::to_string(endpoint.status), std::move(answer)},
      {"default", {{"description", "a refusal"}, {"content", content(kProblemType, ref("Problem"))}}}};
  return operation;
}

}  // namespace

Json openapi_document(const std::vector<Endpoint>& endpoints, const std::map<std::string, Json>& schemas) {
  Json document;
  document["openapi"] = "3.1.0";
  document["info"] = {{"title", "Wherry: administration of a master"}, {"version", WHERRY_VERSION}};
  document["paths"] = Json::object();
  for (const Endpoint& endpoint : endpoints)
    document["paths"][endpoint.path][lower_case(endpoint.method)] = describe(endpoint);
  Json& components = document["components"]["schemas"];
  components["Problem"] = {
      {"type", "object"},
      {"description", "RFC 9457"},
      {"properties",
       {{"title", {{"type", "string"}}},
        {"status", {{"type", "integer"}}},
        {"detail", {{"type", "string"}}},
        {"field", {{"type", "string"}, {"description", "which member of the document is wrong"}}}}},
      {"required", {"title", "status", "detail"}}};
  for (const auto& [name, schema] : schemas) components[name] = schema;
  return document;
}

}  // namespace wherry::api
