#include "common/config/json_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace wherry {
namespace {

using nlohmann::ordered_json;

TEST(JsonView, ShowsWhatIsThere) {
  const auto json =
      ordered_json::parse(R"({"text":"a\u001b[2Jb","number":1.5,"part":{"x":"y"},"list":[1,{"x":"z"},null]})");
  EXPECT_EQ(text_at(json, "text"), "a?[2Jb");
  EXPECT_EQ(text_at(json, "text", 1), "a");
  EXPECT_EQ(number_at(json, "number"), 1.5);
  EXPECT_EQ(text_at(part_at(json, "part"), "x"), "y");
  ASSERT_EQ(objects_in(part_at(json, "list")).size(), 1U);
  EXPECT_EQ(text_at(*objects_in(part_at(json, "list"))[0], "x"), "z");
}

TEST(JsonView, ShowsNothingOfWhatIsMissingOrOfAnotherKind) {
  for (const char* const text : {"null", "1", "[]", R"("x")", "{}", R"({"x":[]})", R"({"x":null})", R"({"x":true})"}) {
    const auto json = ordered_json::parse(text);
    EXPECT_EQ(text_at(json, "x"), "") << text;
    EXPECT_EQ(number_at(json, "x"), 0) << text;
    EXPECT_TRUE(objects_in(part_at(json, "x")).empty()) << text;
  }
}

}  // namespace
}  // namespace wherry
