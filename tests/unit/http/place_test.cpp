#include "common/http/place.h"

#include <gtest/gtest.h>

namespace wherry::http {
namespace {

TEST(Place, SaysWhereAUrlLeads) {
  const auto place = Place::of("https://Registry.Example/v2/?x=1");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->scheme, "https");
  EXPECT_EQ(place->host, "registry.example");
  EXPECT_EQ(place->port, "443");
  EXPECT_EQ(place->name(), "registry.example");
  EXPECT_EQ(Place::of("http://localhost:5000")->name(), "localhost:5000");
  EXPECT_EQ(Place::of("http://x:80"), Place::of("http://X/"));
  EXPECT_NE(Place::of("http://x"), Place::of("https://x"));
  EXPECT_NE(Place::of("http://x"), Place::of("http://x:8080"));
}

TEST(Place, OtherSchemesCredentialsAndNonsenseLeadNowhere) {
  for (const char* url : {"", "x", "ftp://x/", "file:///etc/passwd", "http://user:secret@x/", "http://user@x/",
                          "http://", "http:// x/", "http://x\n/", "gopher://x", "//x/y"})
    EXPECT_FALSE(Place::of(url)) << url;
}

TEST(ResolveUrl, ReferencesAreResolvedAsTheStandardSays) {
  const std::string base = "https://r.example/v2/a/blobs/x?sig=1";
  EXPECT_EQ(resolve_url(base, "/y?z=2"), "https://r.example/y?z=2");
  EXPECT_EQ(resolve_url(base, "y"), "https://r.example/v2/a/blobs/y");
  EXPECT_EQ(resolve_url(base, "http://other:81/p#part"), "http://other:81/p");
  EXPECT_EQ(resolve_url(base, "//cdn.example/p"), "https://cdn.example/p");
  for (const char* bad : {"", "http://", "a b", "x\r\nHost: y"}) EXPECT_FALSE(resolve_url(base, bad)) << bad;
}

}  // namespace
}  // namespace wherry::http
