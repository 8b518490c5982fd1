#include "common/oci/reference.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

namespace wherry {
namespace {

// The specification's own words, as an oracle for the hand-written scanners.
const std::regex kNameGrammar(R"([a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*)");
const std::regex kTagGrammar(R"([a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})");

TEST(RepositoryName, WhatTheGrammarAllowsIsTaken) {
  for (const std::string& name :
       {std::string("a"), std::string("0"), std::string("library/alpine"), std::string("a/b/c/d/e/f"),
        std::string("a.b"), std::string("a_b"), std::string("a__b"), std::string("a-b"), std::string("a-----b"),
        std::string("a.b_c__d---e/f.g"), std::string("docker.io/library/alpine"), std::string("a/blobs/uploads"),
        std::string(255, 'a'), "a" + std::string(253, '-') + "b"}) {
    const auto parsed = RepositoryName::parse(name);
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->text(), name);
  }
}

TEST(RepositoryName, WhatTheGrammarDoesNotAllowIsRefused) {
  const std::vector<std::string> bad = {"",
                                        "/",
                                        "/a",
                                        "a/",
                                        "a//b",
                                        "a/b/",
                                        ".",
                                        "..",
                                        "a/../b",
                                        "a/./b",
                                        "../a",
                                        ".a",
                                        "a.",
                                        "_a",
                                        "a_",
                                        "-a",
                                        "a-",
                                        "a..b",
                                        "a___b",
                                        "a._b",
                                        "a_.b",
                                        "a-_b",
                                        "a_-b",
                                        "a.-b",
                                        "a/.b",
                                        "a./b",
                                        "a/_b",
                                        "a-/b",
                                        "A",
                                        "aB",
                                        "a/B",
                                        "a b",
                                        "a:b",
                                        "localhost:5000/a",
                                        "a@b",
                                        "a%2fb",
                                        "a\\b",
                                        "a\nb",
                                        "a\n",
                                        "\xc3\xa4",
                                        "a\xff",
                                        "a?b",
                                        "a#b",
                                        "a+b",
                                        "a~b",
                                        "a*",
                                        std::string(256, 'a'),
                                        std::string(1 << 20, 'a'),
                                        std::string("a\0b", 3),
                                        std::string(1, '\0')};
  for (const std::string& name : bad) {
    const auto parsed = RepositoryName::parse(name);
    ASSERT_FALSE(parsed) << name.substr(0, 80);
    EXPECT_EQ(parsed.error().kind(), ErrorKind::kNameInvalid);
    EXPECT_LT(parsed.error().message().size(), 250U);
  }
}

/// Calls `visit` with every text over `letters` of up to `longest` bytes.
template <class Visit>
void each_text(std::string_view letters, std::size_t longest, std::string& text, const Visit& visit) {
  visit(text);
  if (text.size() == longest) return;
  for (const char c : letters) {
    text.push_back(c);
    each_text(letters, longest, text, visit);
    text.pop_back();
  }
}

TEST(RepositoryName, EveryShortTextIsJudgedAsTheSpecificationsExpressionDoes) {
  std::string text;
  each_text("a0._-/A:", 5, text, [](const std::string& name) {
    ASSERT_EQ(RepositoryName::parse(name).has_value(), std::regex_match(name, kNameGrammar)) << name;
  });
}

TEST(Tag, EveryShortTextIsJudgedAsTheSpecificationsExpressionDoes) {
  std::string text;
  each_text("aZ9._-/:+", 4, text, [](const std::string& tag) {
    ASSERT_EQ(Tag::parse(tag).has_value(), std::regex_match(tag, kTagGrammar)) << tag;
  });
  for (int c = 0; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    EXPECT_EQ(Tag::parse(one).has_value(), std::regex_match(one, kTagGrammar)) << c;
    EXPECT_EQ(Tag::parse("a" + one).has_value(), std::regex_match("a" + one, kTagGrammar)) << c;
    EXPECT_EQ(RepositoryName::parse(one).has_value(), std::regex_match(one, kNameGrammar)) << c;
  }
}

TEST(Tag, LengthIsBounded) {
  EXPECT_TRUE(Tag::parse(std::string(128, 'a')));
  EXPECT_EQ(Tag::parse(std::string(129, 'a')).error().kind(), ErrorKind::kNameInvalid);
  EXPECT_EQ(Tag::parse("").error().kind(), ErrorKind::kNameInvalid);
}

TEST(Reference, TextWithAColonIsADigestAndAnyOtherATag) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  const auto by_digest = Reference::parse(digest);
  ASSERT_TRUE(by_digest);
  ASSERT_TRUE(by_digest->digest());
  EXPECT_FALSE(by_digest->tag());
  EXPECT_EQ(by_digest->to_string(), digest);

  for (const std::string& tag :
       {std::string("latest"), std::string("3.20"), std::string("_"), "sha256-" + std::string(64, 'a') + ".sig"}) {
    const auto by_tag = Reference::parse(tag);
    ASSERT_TRUE(by_tag);
    ASSERT_TRUE(by_tag->tag());
    EXPECT_FALSE(by_tag->digest());
    EXPECT_EQ(by_tag->to_string(), tag);
  }
}

TEST(Reference, ErrorKindSaysWhichGrammarWasMeant) {
  for (const std::string_view bad : {"sha256:abc", "a:b", ":", "latest:", "sha256:../../../x"})
    EXPECT_EQ(Reference::parse(bad).error().kind(), ErrorKind::kDigestInvalid) << bad;
  for (const std::string_view bad : {"", ".", "..", "../x", "-a", "a/b", "a b", "a%2e"})
    EXPECT_EQ(Reference::parse(bad).error().kind(), ErrorKind::kNameInvalid) << bad;
}

}  // namespace
}  // namespace wherry
