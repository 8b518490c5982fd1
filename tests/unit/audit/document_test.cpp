#include "master/audit/document.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace wherry::audit {
namespace {

using Json = nlohmann::ordered_json;

std::string kept_of(const std::string& text) { return AuditDocument(Json::parse(text)).json(); }

TEST(AuditDocument, SecretsNeverStandInIt) {
  struct Case {
    const char* given;
    const char* kept;
  };
  constexpr Case kCases[] = {
      {R"({"name":"a","password":"p"})", R"({"name":"a","password":"***"})"},
      {R"({"Secret":"p","TOKEN":"p"})", R"({"Secret":"***","TOKEN":"***"})"},
      {R"({"refresh_token":"p"})", R"({"refresh_token":"***"})"},
      {R"({"private_key":"p"})", R"({"private_key":"***"})"},
      {R"({"client_secret":"p"})", R"({"client_secret":"***"})"},
      {R"({"Authorization":"Bearer p"})", R"({"Authorization":"***"})"},
      {R"({"clientSecret":"p","Private-Key":"p"})", R"({"clientSecret":"***","Private-Key":"***"})"},
      {R"({"new_password":"p","passwords":["p"]})", R"({"new_password":"***","passwords":"***"})"},
      {R"({"token":{"id":1},"secret":7,"password":["p"]})", R"({"token":"***","secret":"***","password":"***"})"},
      {R"([{"a":[{"b":{"token":"p"}}]}])", R"([{"a":[{"b":{"token":"***"}}]}])"},
      {R"({"url":"https://me:p@host/x@y"})", R"({"url":"https://***@host/x@y"})"},
      {R"({"url":"https://p@host, http://q:p@h:1"})", R"({"url":"https://***@host, http://***@h:1"})"},
      {R"({"url":"https://host/a@b","mail":"a@b"})", R"({"url":"https://host/a@b","mail":"a@b"})"},
      {R"({"token_expiry":"1h","secretary":"x"})", R"({"token_expiry":"1h","secretary":"x"})"},
      {R"("password")", R"("password")"},
  };
  for (const Case& each : kCases) EXPECT_EQ(kept_of(each.given), each.kept) << each.given;
}

TEST(AuditDocument, NullIsNone) {
  EXPECT_TRUE(AuditDocument(Json()).empty());
  EXPECT_FALSE(AuditDocument(Json::object()).empty());
}

TEST(AuditDocument, ATooLargeOneIsCutWithAMarkAndIsStillJson) {
  for (const char* filler : {"x", "\"", "\\", "\x01", "\x7f", "\xc3\xa4"}) {
    Json large;
    large["password"] = "never-written";
    std::string text;
    while (text.size() < 100'000) text += filler;
    large["text"] = text;
    const AuditDocument document(large);
    EXPECT_LE(document.json().size(), AuditDocument::kMaxBytes);
    const Json cut = Json::parse(document.json(), nullptr, false);
    ASSERT_TRUE(cut.is_object()) << document.json().substr(0, 80);
    EXPECT_GT(cut["cut_from_bytes"].get<std::size_t>(), 100'000U);
    EXPECT_TRUE(cut["begin"].get<std::string>().starts_with(R"({"password":"***","text":")"));
  }
}

TEST(AuditDocument, ATooDeepOneIsCutThere) {
  std::string deep;
  for (int i = 0; i < 5'000; ++i) deep += R"({"a":)";
  deep += R"({"token":"p"})" + std::string(5'000, '}');
  const std::string kept = kept_of(deep);
  EXPECT_TRUE(kept.find("too deep") != std::string::npos && kept.size() < 500) << kept;
}

TEST(AuditDocument, BytesThatAreNotUtf8AreReplaced) {
  Json document;
  document["a\xff"] = "b\xc3";
  EXPECT_EQ(AuditDocument(document).json(), "{\"a\xef\xbf\xbd\":\"b\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace wherry::audit
