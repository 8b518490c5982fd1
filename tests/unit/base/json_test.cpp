#include "common/base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wherry {
namespace {

TEST(JsonString, GoodTextIsReadBackByAnotherReader) {
  const std::vector<std::string> texts = {"",
                                          "plain",
                                          "\"quoted\" \\ /",
                                          "\n\r\t\b\f",
                                          std::string("\0\x01\x1f\x7f", 4),
                                          "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\xa2",
                                          "\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbf",
                                          "\xe0\xa0\x80\xf0\x90\x80\x80"};
  for (const auto& text : texts) EXPECT_EQ(nlohmann::json::parse(json_string(text)), text) << json_string(text);
}

TEST(JsonString, EveryBytePairGivesValidJsonOfPrintableText) {
  for (int first = 0; first < 256; ++first)
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const std::string json = json_string(text);
      ASSERT_TRUE(nlohmann::json::accept(json)) << first << " " << second;
      for (const char c : json) ASSERT_GE(static_cast<unsigned char>(c), 0x20);
    }
}

TEST(JsonString, BytesThatAreNotUtf8AreReplacedOneByOne) {
  const std::string mark = "\xef\xbf\xbd";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\x80z", "a" + mark + "z"},                     // a lone continuation
      {"\xc0\xaf", mark + mark},                        // an overlong slash
      {"\xe0\x80\xaf", mark + mark + mark},             // another
      {"\xed\xa0\x80", mark + mark + mark},             // a surrogate
      {"\xf4\x90\x80\x80", mark + mark + mark + mark},  // beyond U+10FFFF
      {"\xf5\x80\x80\x80", mark + mark + mark + mark},  // no lead byte
      {"\xe2\x82", mark + mark},                        // cut short at the end
      {"\xe2\x82\"", mark + mark + "\""},               // cut short before a quote: the quote is still escaped
      {"\xf0\x9f\x9a", mark + mark + mark},             // cut short
      {"\xc3\xa4\xff\xc3\xa4", "\xc3\xa4" + mark + "\xc3\xa4"}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(nlohmann::json::parse(json_string(text)), expected);
}

}  // namespace
}  // namespace wherry
