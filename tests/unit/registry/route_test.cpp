#include "common/registry/route.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"

namespace wherry::registry {

void PrintTo(Endpoint endpoint, std::ostream* out) { *out << "Endpoint(" << static_cast<int>(endpoint) << ")"; }

namespace {

using testing::kind_of;

const std::string kDigest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Route, EveryEndpointIsFoundWithItsNames) {
  struct Case {
    std::string path;
    Endpoint endpoint;
    std::string repository;
    std::string last;
  };
  const std::vector<Case> cases = {
      {"/v2/", Endpoint::kPing, "", ""},
      {"/v2", Endpoint::kPing, "", ""},
      {"/v2/_catalog", Endpoint::kCatalog, "", ""},
      {"/v2/a/tags/list", Endpoint::kTags, "a", ""},
      {"/v2/a/b/c/tags/list", Endpoint::kTags, "a/b/c", ""},
      {"/v2/a/manifests/latest", Endpoint::kManifest, "a", "latest"},
      {"/v2/a/b/manifests/" + kDigest, Endpoint::kManifest, "a/b", kDigest},
      {"/v2/a/blobs/" + kDigest, Endpoint::kBlob, "a", kDigest},
      {"/v2/a/referrers/" + kDigest, Endpoint::kReferrers, "a", kDigest},
      {"/v2/a/blobs/uploads", Endpoint::kUploads, "a", ""},
      {"/v2/a/blobs/uploads/", Endpoint::kUploads, "a", ""},
      {"/v2/a/blobs/uploads/0123", Endpoint::kUpload, "a", "0123"},
      {"/v2/a/b/_wherry/manifests", Endpoint::kManifests, "a/b", ""},
      // Repositories that are named like endpoints.
      {"/v2/tags/tags/list", Endpoint::kTags, "tags", ""},
      {"/v2/tags/list/tags/list", Endpoint::kTags, "tags/list", ""},
      {"/v2/manifests/manifests/manifests", Endpoint::kManifest, "manifests", "manifests"},
      {"/v2/a/blobs/uploads/manifests/x", Endpoint::kManifest, "a/blobs/uploads", "x"},
      {"/v2/blobs/uploads/blobs/uploads/1", Endpoint::kUpload, "blobs/uploads", "1"},
      {"/v2/a/manifests/blobs/" + kDigest, Endpoint::kBlob, "a/manifests", kDigest},
      {"/v2/v2/manifests/1", Endpoint::kManifest, "v2", "1"},
      // Escapes are resolved once.
      {"/v2/a/manifests/sha256%3Aabc", Endpoint::kManifest, "a", "sha256:abc"},
      {"/v2/%61/manifests/%6Catest", Endpoint::kManifest, "a", "latest"},
      {"/v2/a/manifests/%2541", Endpoint::kManifest, "a", "%41"},
      {"/v2/a/t%61gs/list", Endpoint::kTags, "a", ""},
      // The last part is for others to judge.
      {"/v2/a/manifests/", Endpoint::kManifest, "a", ""},
      {"/v2/a/manifests/..", Endpoint::kManifest, "a", ".."},
      {"/v2/a/manifests/%zz", Endpoint::kManifest, "a", "%zz"},
      {"/v2/a/manifests/x%2Fy", Endpoint::kManifest, "a", "x%2Fy"},
      {"/v2/a/manifests/%00", Endpoint::kManifest, "a", "%00"},
  };
  for (const auto& c : cases) {
    const auto route = parse_route(c.path);
    ASSERT_TRUE(route) << c.path << ": " << route.error().message();
    EXPECT_EQ(route->endpoint, c.endpoint) << c.path;
    EXPECT_EQ(route->repository ? route->repository->text() : "", c.repository) << c.path;
    EXPECT_EQ(route->last, c.last) << c.path;
  }
}

TEST(Route, ANameOutsideTheGrammarIsRefusedAsSuch) {
  for (const std::string name :
       {"",       "A",          "a//b",         "/a",    "a/",    ".",    "..",   "a/../b", "a/..",
        "%2e%2e", "a/%2e%2e/b", "%2E%2E%2Fetc", "a%2fb", "a%2Fb", "a%00", "a%",   "a%4",    "a%zz",
        "a%2541", "a%20b",      "a b",          "_a",    "a:b",   "a@b",  "a\\b", "%c3%a4"})
    EXPECT_EQ(kind_of(parse_route("/v2/" + name + "/manifests/latest")), ErrorKind::kNameInvalid) << name;
  EXPECT_EQ(kind_of(parse_route("/v2/" + std::string(256, 'a') + "/tags/list")), ErrorKind::kNameInvalid);
  EXPECT_EQ(kind_of(parse_route("/v2/manifests/latest")), ErrorKind::kNameInvalid);
  EXPECT_EQ(kind_of(parse_route("/v2/tags/list")), ErrorKind::kNameInvalid);
  EXPECT_EQ(kind_of(parse_route("/v2/blobs/uploads/")), ErrorKind::kNameInvalid);
}

TEST(Route, WhereNothingIsNothingIsFound) {
  for (const char* path : {"",
                           "/",
                           "/v1/",
                           "/v3/a/tags/list",
                           "v2/a/tags/list",
                           "//v2/a/tags/list",
                           "/v2//",
                           "/v2/a",
                           "/v2/_catalog/",
                           "/v2/_CATALOG",
                           "/v2/a/tags",
                           "/v2/a/tags/",
                           "/v2/a/tags/list/",
                           "/v2/a/manifests",
                           "/v2/a/manifests/x/y",
                           "/v2/a/blobs",
                           "/v2/a/blobs/uploads/1/2",
                           "/v2/a/uploads/1",
                           "/v2/a/tags%2Flist",
                           "/V2/",
                           "/%76%32",
                           "/v22/"}) {
    const auto route = parse_route(path);
    if (std::string_view(path) == "/%76%32") {  // an escape that was not needed means the same
      ASSERT_TRUE(route);
      EXPECT_EQ(route->endpoint, Endpoint::kPing);
      continue;
    }
    EXPECT_EQ(kind_of(route), ErrorKind::kNotFound) << path;
  }
}

TEST(Route, AReaderIsNeverOfferedAMethodThatWrites) {
  for (int e = 0; e <= static_cast<int>(Endpoint::kUpload); ++e) {
    const std::string allowed(allowed_methods(static_cast<Endpoint>(e), false));
    for (const char* writes : {"PUT", "POST", "PATCH", "DELETE"})
      EXPECT_EQ(allowed.find(writes), std::string::npos) << e << " " << allowed;
  }
  EXPECT_EQ(allowed_methods(Endpoint::kManifest, true), "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(allowed_methods(Endpoint::kUploads, true), "POST");
}

}  // namespace
}  // namespace wherry::registry
