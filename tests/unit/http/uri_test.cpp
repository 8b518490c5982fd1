#include "common/http/uri.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/http/client.h"
#include "common/http/place.h"

namespace wherry::http {
namespace {

TEST(PercentEncoding, EveryByteButNulIsReadBack) {
  std::string all;
  for (int c = 1; c < 256; ++c) all.push_back(static_cast<char>(c));
  const std::string escaped = percent_encode(all);
  EXPECT_EQ(escaped.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"),
            std::string::npos);
  EXPECT_EQ(percent_decode(escaped), all);
}

TEST(PercentEncoding, KeepsWhatItIsToldTo) {
  EXPECT_EQ(percent_encode("a/b:c d%"), "a%2Fb%3Ac%20d%25");
  EXPECT_EQ(percent_encode("a/b:c d%", "/:"), "a/b:c%20d%25");
}

TEST(PercentEncoding, IsResolvedOnceInEitherCase) {
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("plain+text"), "plain+text");
  EXPECT_EQ(percent_decode("%41%61%2f%2F"), "Aa//");
  EXPECT_EQ(percent_decode("%2541"), "%41");
  EXPECT_EQ(percent_decode("%ff%01"), "\xff\x01");
}

TEST(PercentEncoding, BrokenEscapesAndNulAreRefused) {
  for (const char* wrong :
       {"%", "%4", "a%", "a%4", "%%", "%g0", "%0g", "%+1", "% 1", "%00", "a%00b", "%u0041", "%-1"}) {
    EXPECT_EQ(percent_decode(wrong), std::nullopt) << wrong;
    EXPECT_FALSE(is_well_escaped(wrong)) << wrong;
  }
  for (const char* good : {"", "a", "%41", "%41%42b%43", "%2541"}) EXPECT_TRUE(is_well_escaped(good)) << good;
  EXPECT_FALSE(is_well_escaped("%41%4"));
}

TEST(Query, ValuesAreFoundByTheirWholeName) {
  const std::string query = "n=5&last=a%2Fb&mount=&flag&tag=1&tag=2&=x&n=6&last&nn=7&a=b=c";
  EXPECT_EQ(query_value(query, "n"), "5");
  EXPECT_EQ(query_value(query, "last"), "a/b");
  EXPECT_EQ(query_value(query, "mount"), "");
  EXPECT_EQ(query_value(query, "flag"), "");
  EXPECT_EQ(query_value(query, "a"), "b=c");
  EXPECT_EQ(query_value(query, "nn"), "7");
  EXPECT_EQ(query_value(query, "absent"), std::nullopt);
  EXPECT_EQ(query_value(query, "N"), std::nullopt);
  EXPECT_EQ(query_values(query, "n"), (std::vector<std::string>{"5", "6"}));
  EXPECT_EQ(query_value(query, "fla"), std::nullopt);
  EXPECT_EQ(query_values(query, "tag"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(query_values("", "n"), std::vector<std::string>());
  EXPECT_EQ(query_values("&&&", "n"), std::vector<std::string>());
}

TEST(Query, ABadlyEscapedValueIsNoValue) {
  EXPECT_EQ(query_value("digest=%zz", "digest"), std::nullopt);
  EXPECT_EQ(query_value("digest=%00", "digest"), std::nullopt);
  EXPECT_EQ(query_value("n=%zz&n=5", "n"), std::nullopt) << "the first value is meant, not the next good one";
  EXPECT_EQ(query_values("n=%zz&n=5", "n"), std::vector<std::string>{"5"});
}

TEST(Query, ADigestKeepsItsPlusAndColon) { EXPECT_EQ(query_value("d=sha256:a+b", "d"), "sha256:a+b"); }

TEST(ServerUrl, IsOneThatRequestsCanGoTo) {
  for (const char* good : {"http://a", "https://registry.example:5000", "http://127.0.0.1:1/", "https://[::1]:5000",
                           "https://a/path", "http://a.b-c"})
    EXPECT_TRUE(is_server_url(good)) << good;
  EXPECT_FALSE(is_server_url(std::string("http://a\0.evil", 14)));
  for (const char* bad : {"",
                          "a",
                          "a:5000",
                          "//a",
                          "http:",
                          "http:/",
                          "http://",

                          "https://:5000",
                          "ftp://a",
                          "file:///etc/passwd",
                          "unix:///run/x",
                          "http://user@a",
                          "http://user:secret@a",
                          "http://a?b",
                          "http://a/?b=c",
                          "http://a/#b",
                          "http://a:70000",
                          "http://a:x",
                          "http://[::1",
                          "http://a b",
                          "http://a/b c",
                          "http://a\r\nX: y",
                          " http://a"})
    EXPECT_FALSE(is_server_url(bad)) << bad;
}

}  // namespace
}  // namespace wherry::http
