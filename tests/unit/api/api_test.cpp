#include "master/api/api.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"

namespace wherry::api {
namespace {

using testing::LocalServer;
using testing::run_task;
using testing::talk;

Task<Result<Answer>> show(std::string name) { co_return Answer(Json{{"name", name}}); }
Task<Result<Answer>> fixed() { co_return Answer(Json("fixed")); }
Task<Result<Answer>> echo(Json document) { co_return Answer(std::move(document), 201); }
Task<Result<Answer>> fail() {
  co_return Error(ErrorKind::kInvalid, "the size is wrong").with_detail(R"({"field":"size"})");
}
Task<Result<Answer>> raise() {
  throw std::runtime_error("a bug");
  co_return Answer::nothing();
}

void add_endpoints(Api& api) {
  api.add_schema("Thing", {{"type", "object"}});
  api.add({.method = "GET",
           .path = "/api/v1/things/{name}",
           .id = "getThing",
           .tag = "things",
           .summary = "One thing",
           .query = {{"deep", "how deep", {{"type", "integer"}}}},
           .response = ref("Thing"),
           .handler = [](const Call& call) { return show(call.path("name")); }});
  api.add({.method = "GET", .path = "/api/v1/things/fixed", .handler = [](const Call&) { return fixed(); }});
  api.add({.method = "POST",
           .path = "/api/v1/things",
           .id = "makeThing",
           .request = ref("Thing"),
           .response = ref("Thing"),
           .status = 201,
           .handler = [](const Call& call) { return echo(call.body()); }});
  api.add({.method = "PUT", .path = "/api/v1/fail", .handler = [](const Call&) { return fail(); }});
  api.add({.method = "GET", .path = "/api/v1/raise", .handler = [](const Call&) { return raise(); }});
}

Task<std::string> ask(std::string request) {
  Metrics metrics("test");
  auth::OpenGate gate;
  Api api(Loop::current(), gate, metrics);
  add_endpoints(api);
  LocalServer server(api);
  co_await server.start();
  std::string answer = co_await talk(server.address(), std::move(request));
  co_await server.stop();
  co_return answer;
}

/// The whole answer to a request of these lines.
std::string answer_to(const std::string& line, const std::string& fields = "", const std::string& body = "") {
  std::string request = line + " HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nConnection: close\r\n" + fields;
  if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return run_task(ask(request + "\r\n" + body));
}

const std::string kJsonType = "Content-Type: application/json; charset=utf-8\r\n";

TEST(Api, APartOfThePathIsDecodedOnceAndAnEscapedSlashIsNoBorder) {
  EXPECT_TRUE(answer_to("GET /api/v1/things/a%2Fb%20c").ends_with("{\"name\":\"a/b c\"}\n"));
}

TEST(Api, OfTwoPatternsTheOneThatNamesMoreIsMeant) {
  EXPECT_TRUE(answer_to("GET /api/v1/things/fixed").ends_with("\"fixed\"\n"));
}

TEST(Api, ADocumentGoesInAndOut) {
  const auto answer = answer_to("POST /api/v1/things", kJsonType, R"({"b":1,"a":[2]})");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 201 ")) << answer;
  EXPECT_TRUE(answer.ends_with("{\"b\":1,\"a\":[2]}\n")) << answer;
}

TEST(Api, WhatIsNotThereIs404AndAnotherMethodIs405WithThoseThereAre) {
  EXPECT_TRUE(answer_to("GET /api/v1/nothing").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(answer_to("GET /api/v1/things/").starts_with("HTTP/1.1 404 "));
  const auto answer = answer_to("DELETE /api/v1/things/a");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 405 ")) << answer;
  EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos) << answer;
}

TEST(Api, AnErrorIsAProblemDocumentThatNamesTheField) {
  const auto answer = answer_to("PUT /api/v1/fail", kJsonType, "{}");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("Content-Type: application/problem+json\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with(
      "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"the size is wrong\",\"field\":\"size\"}\n"))
      << answer;
}

TEST(Api, WhatAHandlerThrowsIsNotTold) {
  const auto answer = answer_to("GET /api/v1/raise");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
  EXPECT_EQ(answer.find("a bug"), std::string::npos) << answer;
}

TEST(Api, DocumentsAreBounded) {
  const std::string deep = std::string(40, '[') + std::string(40, ']');
  EXPECT_TRUE(answer_to("POST /api/v1/things", kJsonType, deep).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(answer_to("POST /api/v1/things", kJsonType, "{\"a\":").starts_with("HTTP/1.1 400 "));
  const auto answer = answer_to("POST /api/v1/things", kJsonType + "Content-Length: 2000000\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
}

TEST(Api, APageOfAnotherHostChangesNothing) {
  const std::string post = "POST /api/v1/things";
  EXPECT_TRUE(answer_to(post, kJsonType + "Origin: http://evil.example\r\n", "{}").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(answer_to(post, kJsonType + "Origin: null\r\n", "{}").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(answer_to(post, kJsonType + "Origin: http://127.0.0.1:5001\r\n", "{}").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(answer_to(post, kJsonType + "Origin: http://127.0.0.1:5000\r\n", "{}").starts_with("HTTP/1.1 201 "));
  EXPECT_TRUE(answer_to(post, "Content-Type: text/plain\r\n", "{}").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(answer_to(post, "", "{}").starts_with("HTTP/1.1 400 "));
}

TEST(Api, ANameThatWasPointedToThisMachineIsNoHostOfIts) {
  const std::string request =
      "POST /api/v1/things HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: close\r\n" +
      kJsonType + "Content-Length: 2\r\n\r\n{}";
  EXPECT_TRUE(run_task(ask(request)).starts_with("HTTP/1.1 403 "));
}

TEST(Api, DescribesWhatItAnswers) {
  const auto answer = answer_to("GET /api/v1/openapi.json");
  const auto document = Json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
  EXPECT_EQ(document["openapi"], "3.1.0");
  const auto& get = document["paths"]["/api/v1/things/{name}"]["get"];
  EXPECT_EQ(get["operationId"], "getThing");
  EXPECT_EQ(get["parameters"].size(), 2u);
  EXPECT_EQ(get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Thing");
  EXPECT_TRUE(document["paths"]["/api/v1/things"]["post"]["responses"].contains("201"));
  EXPECT_TRUE(document["components"]["schemas"].contains("Thing"));
  EXPECT_TRUE(document["components"]["schemas"].contains("Problem"));
}

}  // namespace
}  // namespace wherry::api
