#include "common/upstream/upstream.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/oci/media_types.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/http_server.h"
#include "tests/unit/support/run_task.h"

namespace wherry {
namespace {

using registry::NamePage;
using registry::ReferrerPage;
using registry::StoredManifest;
using testing::digest_of;
using testing::kind_of;
using testing::LocalServer;
using testing::run_task;
using testing::ScriptedService;

RepositoryName repository_a() { return RepositoryName::parse("a").value(); }
Reference reference(std::string_view text) { return Reference::parse(text).value(); }

/// Asks an upstream that answers by `answer`.
template <class T>
Task<T> ask(ScriptedService::Answer answer, std::function<Task<T>(Upstream&)> question) {
  ScriptedService service(std::move(answer));
  LocalServer server(service);
  co_await server.start();
  const std::vector<Loop*> loops = {&Loop::current()};
  UpstreamOptions options;
  options.url = server.url() + "/";
  options.silence = std::chrono::seconds(5);
  Origin origin(std::move(options), {}, loops);
  co_await origin.open();
  Upstream upstream(origin);
  T given = co_await question(upstream);
  co_await origin.close();
  co_await server.stop();
  co_return given;
}

http::Response json(std::string body) { return http::Response(200).body("application/json", std::move(body)); }

using Blob = Result<std::string>;

Task<Blob> fetch_blob(Upstream& upstream, Digest digest, std::uint64_t offset, std::optional<std::uint64_t> end) {
  const RepositoryName repository = repository_a();
  auto turn = co_await upstream.turn(repository, Budget::Use::kFill);
  if (!turn) co_return turn.error();
  auto source = co_await upstream.blob(std::move(*turn), repository, digest, offset, false, end);
  if (!source) co_return source.error();
  std::string bytes;
  while (true) {
    auto piece = co_await source->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    bytes.append(reinterpret_cast<const char*>(piece->bytes().data()), piece->size());
  }
  const std::string size = source->size() ? std::to_string(*source->size()) : "?";
  EXPECT_EQ(source->end(), source->size() ? std::optional(source->offset() + bytes.size()) : std::nullopt);
  co_return fmt::format("{} of {} from {}", bytes, size, source->offset());
}

Blob blob(http::Response response, std::uint64_t offset, std::string* range = nullptr,
          std::optional<std::uint64_t> end = std::nullopt) {
  return run_task(ask<Blob>(
      [&](const http::Request& request) {
        if (range != nullptr) *range = request.header("range");
        return response;
      },
      [&](Upstream& upstream) { return fetch_blob(upstream, digest_of("x"), offset, end); }));
}

http::Response partial(std::string_view content_range, std::string body) {
  auto response = http::Response(206).body("application/octet-stream", std::move(body));
  response.header("Content-Range", content_range);
  return response;
}

TEST(Upstream, ABlobIsFetchedWhole) {
  std::string range;
  EXPECT_EQ(blob(http::Response(200).body("a/b", "0123456789"), 0, &range).value(), "0123456789 of 10 from 0");
  EXPECT_EQ(range, "");
}

TEST(Upstream, ABlobGoesOnWhereItStopped) {
  std::string range;
  EXPECT_EQ(blob(partial("bytes 4-9/10", "456789"), 4, &range).value(), "456789 of 10 from 4");
  EXPECT_EQ(range, "bytes=4-");
}

TEST(Upstream, AnUpstreamWithoutRangesStartsOver) {
  EXPECT_EQ(blob(http::Response(200).body("a/b", "0123456789"), 4).value(), "0123456789 of 10 from 0");
}

TEST(Upstream, ARangeThatWasNotAskedForIsNoAnswer) {
  for (const char* wrong :
       {"", "bytes 0-5/10", "bytes 5-9/10", "bytes 4-8/10", "bytes 4-9/11", "bytes 4-9/*", "4-9/10", "bytes 4-9",
        "bytes 9-4/10", "bytes */10", "bytes 4-9/10/10", "items 4-9/10", "bytes 4-9/99999999999999999999"})
    EXPECT_EQ(kind_of(blob(partial(wrong, "456789"), 4)), ErrorKind::kUpstream) << wrong;
  EXPECT_EQ(kind_of(blob(partial("bytes 0-9/10", "0123456789"), 0)), ErrorKind::kUpstream);
}

TEST(Upstream, APartOfABlobIsAskedForAndWhatComesMayBeWiderOrShorter) {
  std::string range;
  EXPECT_EQ(blob(partial("bytes 4-6/10", "456"), 4, &range, 7).value(), "456 of 10 from 4");
  EXPECT_EQ(range, "bytes=4-6");
  EXPECT_EQ(blob(partial("bytes 0-6/10", "0123456"), 0, &range, 7).value(), "0123456 of 10 from 0");
  EXPECT_EQ(range, "bytes=0-6");
  EXPECT_EQ(blob(partial("bytes 4-9/10", "456789"), 4, &range, 7).value(), "456789 of 10 from 4");
  EXPECT_EQ(blob(partial("bytes 2-7/10", "234567"), 4, &range, 7).value(), "234567 of 10 from 2");
  EXPECT_EQ(blob(partial("bytes 4-4/10", "4"), 4, &range, 7).value(), "4 of 10 from 4");
  EXPECT_EQ(blob(http::Response(200).body("a/b", "0123456789"), 4, &range, 7).value(), "0123456789 of 10 from 0");
  for (const char* wrong : {"", "bytes 5-9/10", "bytes 0-3/10", "bytes 4-6/*", "bytes 6-4/10", "bytes 4-10/10"})
    EXPECT_EQ(kind_of(blob(partial(wrong, "456"), 4, &range, 7)), ErrorKind::kUpstream) << wrong;
}

TEST(Upstream, NotThereRefusedAndDownAreThreeThings) {
  const std::vector<std::pair<int, ErrorKind>> cases = {
      {404, ErrorKind::kBlobUnknown},     {401, ErrorKind::kDenied},         {403, ErrorKind::kDenied},
      {429, ErrorKind::kUpstreamLimited}, {500, ErrorKind::kUpstreamFailed}, {503, ErrorKind::kUpstreamFailed},
      {204, ErrorKind::kUpstream}};
  for (const auto& [status, kind] : cases) EXPECT_EQ(kind_of(blob(http::Response(status), 0)), kind) << status;
}

using Manifest = Result<StoredManifest>;

Task<Manifest> fetch_manifest(Upstream& upstream, Reference name) {
  const RepositoryName repository = repository_a();
  co_return co_await upstream.manifest(repository, name);
}

Manifest manifest(std::string body, std::string_view type, std::string_view stated, const std::string& asked) {
  return run_task(ask<Manifest>(
      [&](const http::Request&) {
        http::Response response(200);
        response.body(type, body);
        if (!stated.empty()) response.header("Docker-Content-Digest", stated);
        return response;
      },
      [&](Upstream& upstream) { return fetch_manifest(upstream, reference(asked)); }));
}

TEST(Upstream, AManifestIsCheckedAgainstTheDigestAskedForOrElseStated) {
  const std::string index =
      fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[]}})", media_type::kOciIndex);
  const std::string right = digest_of(index).to_string();
  const std::string wrong = digest_of("other").to_string();
  struct Case {
    std::string body;
    std::string type;
    std::string stated;
    std::string asked;
    bool good;
  };
  const std::string type(media_type::kOciIndex);
  const std::vector<Case> cases = {{index, type, right, "t", true},
                                   {index, type, "", "t", true},
                                   {index, type + "; charset=utf-8", "", right, true},
                                   {index, type, wrong, right, true},
                                   {index, type, right, wrong, false},
                                   {index, type, wrong, "t", false},
                                   {index + " ", type, right, "t", false},
                                   {"<html>", "text/html", "", "t", false},
                                   {"{}", "application/json", "", "t", false},
                                   {"", type, "", "t", false},
                                   {std::string(4'194'305, ' '), type, "", "t", false}};
  for (const auto& c : cases) {
    const auto got = manifest(c.body, c.type, c.stated, c.asked);
    if (c.good) {
      ASSERT_TRUE(got) << got.error().message();
      EXPECT_EQ(got->bytes(), c.body);
      EXPECT_EQ(got->digest(), digest_of(c.body));
      EXPECT_EQ(got->media_type(), type);
    } else {
      EXPECT_EQ(kind_of(got), ErrorKind::kUpstream) << c.body.substr(0, 40);
    }
  }
}

using Tags = Result<NamePage>;

Task<Tags> list_tags(Upstream& upstream) {
  const RepositoryName repository = repository_a();
  co_return co_await upstream.tags(repository, "l&st", 5);
}

TEST(Upstream, AListIsReadAndWhatIsNoneIsRefused) {
  const auto tags = [](std::string body, std::string link = {}, std::string* query = nullptr) {
    return run_task(ask<Tags>(
        [&](const http::Request& request) {
          if (query != nullptr) *query = request.query;
          auto response = json(body);
          if (!link.empty()) response.header("Link", link);
          return response;
        },
        list_tags));
  };
  std::string query;
  const auto page = tags(R"({"name":"a","tags":["x","y"]})", R"(</v2/a/tags/list?n=2&last=y>; rel="next")", &query);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->names(), (std::vector<std::string>{"x", "y"}));
  EXPECT_TRUE(page->more());
  EXPECT_EQ(query, "n=5&last=l%26st");
  EXPECT_TRUE(tags(R"({"name":"a","tags":null})")->names().empty());
  EXPECT_FALSE(tags(R"({"tags":[]})")->more());
  for (const char* link :
       {"<>; rel=\"next\"", "</x?last=y>; rel=\"prev\"", "nonsense", ">x<; rel=\"next\"", "</x>; rel=next"})
    EXPECT_FALSE(tags(R"({"tags":["x"]})", link)->more()) << link;
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), std::string("{\"tags\":5}"), std::string("{\"tags\":[5]}"),
        std::string("{\"tags\":[\"\xff\"]}"), std::string("{\"tags\":[\"x\"]"), std::string(1'000'000, '[')})
    EXPECT_EQ(kind_of(tags(bad)), ErrorKind::kUpstream) << bad.substr(0, 40);
}

using Referrers = Result<ReferrerPage>;

Referrers referrers(std::string body, std::string type = {}, std::string link = {}) {
  return run_task(ask<Referrers>(
      [&](const http::Request&) {
        auto response = json(body);
        if (!link.empty()) response.header("Link", link);
        return response;
      },
      std::function<Task<Referrers>(Upstream&)>([&](Upstream& upstream) {
        static const RepositoryName repository = repository_a();
        static const Digest subject = digest_of("subject");
        return upstream.referrers(repository, subject, type, {}, 10);
      })));
}

TEST(Upstream, ReferrersAreFilteredHereForAnUpstreamThatDoesNot) {
  const std::string x = R"({"mediaType":"a/b","digest":"sha256:1","size":1,"artifactType":"t/x","more":{"z":1,"a":2}})";
  const std::string y = R"({"mediaType":"a/b","digest":"sha256:2","size":1})";
  const std::string body = "{\"manifests\":[" + x + "," + y + "]}";
  EXPECT_EQ(referrers(body)->descriptors(), (std::vector{x, y}));
  EXPECT_EQ(referrers(body, "t/x")->descriptors(), std::vector{x});
  EXPECT_TRUE(referrers(body, "t/y")->descriptors().empty());
  EXPECT_EQ(referrers(body, {}, "</r?last=abc>; rel=\"next\"")->last(), "abc");
}

TEST(Upstream, ReferrersThatMakeNoSenseAreRefusedAndHarmNobody) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  for (const std::string& bad :
       {std::string(), std::string("[]"), std::string("{}"), std::string(R"({"manifests":{}})"),
        std::string(R"({"manifests":[5]})"), std::string(R"({"manifests":[null]})"),
        std::string(R"({"manifests":[{"artifactType":5}]})"), std::string(R"({"manifests":[{"artifactType":null}]})"),
        "{\"manifests\":[{\"a\":" + deep + "}]}", "{\"manifests\":" + deep + "}"})
    EXPECT_EQ(kind_of(referrers(bad)), ErrorKind::kUpstream) << bad.substr(0, 60);
}

}  // namespace
}  // namespace wherry
