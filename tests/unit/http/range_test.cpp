#include "common/http/range.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"

namespace wherry::http {

void PrintTo(const ByteRange& range, std::ostream* out) { *out << range.first << "+" << range.count; }

namespace {

using testing::kind_of;
using Ranges = std::vector<ByteRange>;

const std::string kMost = "9223372036854775807";      // 2^63 - 1
const std::string kBeyond = "9223372036854775808";    // 2^63
const std::string kWrapped = "18446744073709551617";  // 2^64 + 1
const std::string kAbsurd = std::string(5000, '9');

TEST(Range, IsCutToWhatThereIsInTheOrderAsked) {
  struct Case {
    std::string header;
    std::uint64_t size;
    Ranges ranges;
  };
  const std::vector<Case> cases = {
      {"bytes=0-0", 10, {{0, 1}}},
      {"bytes=0-9", 10, {{0, 10}}},
      {"bytes=9-9", 10, {{9, 1}}},
      {"bytes=5-", 10, {{5, 5}}},
      {"bytes=0-", 10, {{0, 10}}},
      {"bytes=-1", 10, {{9, 1}}},
      {"bytes=-10", 10, {{0, 10}}},
      {"bytes=-11", 10, {{0, 10}}},
      {"bytes=5-100", 10, {{5, 5}}},
      {"bytes=0005-0006", 10, {{5, 2}}},
      {"Bytes=1-2", 10, {{1, 2}}},
      {"bytes = 1-2", 10, {{1, 2}}},
      {" bytes=\t1-2 ", 10, {{1, 2}}},
      {"bytes=8-9,0-1", 10, {{8, 2}, {0, 2}}},
      {"bytes=0-1 , 4-5\t,8-", 10, {{0, 2}, {4, 2}, {8, 2}}},
      {"bytes=,,0-1,,", 10, {{0, 2}}},
      {"bytes=0-1,50-60", 10, {{0, 2}}},
      {"bytes=50-60,-1", 10, {{9, 1}}},
      {"bytes=0-1,2-3", 10, {{0, 2}, {2, 2}}},
      {"bytes=0-" + kMost, 10, {{0, 10}}},
      {"bytes=0-" + kBeyond, 10, {{0, 10}}},
      {"bytes=1-" + kWrapped, 10, {{1, 9}}},
      {"bytes=1-" + kAbsurd, 10, {{1, 9}}},
      {"bytes=-" + kAbsurd, 10, {{0, 10}}},
      {"bytes=0-" + kMost, std::uint64_t{INT64_MAX}, {{0, std::uint64_t{INT64_MAX}}}},
  };
  for (const auto& c : cases) EXPECT_EQ(parse_range(c.header, c.size).value(), c.ranges) << c.header.substr(0, 60);
}

TEST(Range, WhatIsNoRangeOrTooMuchIsAnsweredWithTheWhole) {
  std::string many = "bytes=0-0";
  for (std::size_t i = 1; i <= kMaxRanges; ++i) many += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  const std::vector<std::string> whole = {"",
                                          "bytes",
                                          "bytes=",
                                          "bytes=,",
                                          "bytes= , ,",
                                          "bytes=-",
                                          "bytes=x-y",
                                          "bytes=1",
                                          "bytes=5-4",
                                          "bytes=5-4,0-1",
                                          "bytes=0-1,5-4",
                                          "bytes=1-2-3",
                                          "bytes=--1",
                                          "bytes=+1-2",
                                          "bytes=1 -2",
                                          "bytes=1- 2",
                                          "bytes=0x1-2",
                                          "bytes:0-1",
                                          "items=0-1",
                                          "bits=0-1",
                                          "0-1",
                                          "=0-1",
                                          "bytes=0-5,5-6",
                                          "bytes=0-,0-",
                                          "bytes=-3,-3",
                                          "bytes=0-9,3-4",
                                          "bytes=" + kBeyond + "-0",
                                          many};
  for (const auto& header : whole) EXPECT_EQ(parse_range(header, 1000).value(), Ranges()) << header.substr(0, 60);
}

TEST(Range, AsManyAsAllowedAreServed) {
  std::string most = "bytes=0-0";
  for (std::size_t i = 1; i < kMaxRanges; ++i) most += "," + std::to_string(2 * i) + "-" + std::to_string(2 * i);
  EXPECT_EQ(parse_range(most, 1000)->size(), kMaxRanges);
}

TEST(Range, AskedForTooOftenIsTheWholeHoweverLongTheHeader) {
  std::string absurd = "bytes=";
  for (int i = 0; i < 10000; ++i) absurd += "0-,";
  EXPECT_EQ(parse_range(absurd, 10).value(), Ranges());
}

TEST(Range, BeyondTheEndCannotBeSatisfied) {
  const std::vector<std::pair<std::string, std::uint64_t>> cases = {{"bytes=10-", 10},
                                                                    {"bytes=10-20", 10},
                                                                    {"bytes=-0", 10},
                                                                    {"bytes=0-", 0},
                                                                    {"bytes=0-0", 0},
                                                                    {"bytes=-1", 0},
                                                                    {"bytes=10-,-0", 10},
                                                                    {"bytes=" + kMost + "-", 10},
                                                                    {"bytes=" + kAbsurd + "-", 10},
                                                                    {"bytes=" + kWrapped + "-" + kWrapped, 10}};
  for (const auto& [header, size] : cases)
    EXPECT_EQ(kind_of(parse_range(header, size)), ErrorKind::kRangeInvalid) << header.substr(0, 60);
}

TEST(ChunkRange, IsFirstAndLastInclusive) {
  const std::vector<std::pair<std::string, ByteRange>> cases = {{"0-0", {0, 1}},
                                                                {"0-999", {0, 1000}},
                                                                {"5-5", {5, 1}},
                                                                {" 1-2\t", {1, 2}},
                                                                {"0001-0002", {1, 2}},
                                                                {"0-" + kMost, {0, std::uint64_t{1} << 63}},
                                                                {kMost + "-" + kMost, {std::uint64_t{INT64_MAX}, 1}}};
  for (const auto& [header, range] : cases) {
    const auto parsed = parse_chunk_range(header);
    ASSERT_TRUE(parsed) << header;
    EXPECT_EQ(*parsed, range);
  }
}

TEST(ChunkRange, WhatIsNotInThatFormIsRefused) {
  const std::vector<std::string> wrong = {"",
                                          "-",
                                          "1",
                                          "1-",
                                          "-1",
                                          "2-1",
                                          "1-2-3",
                                          "1 - 2",
                                          "+1-2",
                                          "0x1-2",
                                          "a-b",
                                          "1-2/3",
                                          "bytes 1-2",
                                          "bytes=1-2",
                                          "bytes 1-2/3",
                                          "1,2",
                                          "0-" + kBeyond,
                                          kBeyond + "-" + kBeyond,
                                          "0-" + kWrapped,
                                          kAbsurd + "-" + kAbsurd};
  for (const auto& header : wrong)
    EXPECT_EQ(kind_of(parse_chunk_range(header)), ErrorKind::kRangeInvalid) << header.substr(0, 60);
}

TEST(ContentRange, IsReadWithItsTotal) {
  struct Case {
    std::string header;
    ByteRange range;
    std::uint64_t total;
  };
  const std::vector<Case> cases = {
      {"bytes 0-0/1", {0, 1}, 1},
      {"bytes 4-9/10", {4, 6}, 10},
      {"Bytes 4-5/10 ", {4, 2}, 10},
      {"bytes 04-05/010", {4, 2}, 10},
      {"bytes 0-9223372036854775806/" + kMost, {0, std::uint64_t{INT64_MAX}}, std::uint64_t{INT64_MAX}}};
  for (const auto& c : cases) {
    const auto parsed = parse_content_range(c.header);
    ASSERT_TRUE(parsed) << c.header;
    EXPECT_EQ(parsed->range, c.range);
    EXPECT_EQ(parsed->total, c.total);
  }
}

TEST(ContentRange, WhatIsNotInThatFormIsRefused) {
  for (const std::string& wrong : {std::string(),
                                   std::string("bytes"),
                                   std::string("bytes "),
                                   std::string("bytes 4-9"),
                                   std::string("4-9/10"),
                                   std::string("bytes=4-9/10"),
                                   std::string("bytes 4-9/*"),
                                   std::string("bytes */10"),
                                   std::string("bytes 4-9/9"),
                                   std::string("bytes 9-4/10"),
                                   std::string("bytes -9/10"),
                                   std::string("bytes 4-/10"),
                                   std::string("bytes 4/10"),
                                   std::string("items 4-9/10"),
                                   std::string("bytes 4-9/10/10"),
                                   std::string("bytes  4-9/10"),
                                   std::string("bytes 4 -9/10"),
                                   std::string("bytes 4-9 /10"),
                                   std::string("bytes 4-9/ 10"),
                                   std::string("/10 bytes 4-9"),
                                   "bytes 0-" + kMost + "/" + kBeyond,
                                   "bytes 0-" + kWrapped + "/" + kWrapped,
                                   "bytes 0-1/" + kAbsurd})
    EXPECT_EQ(kind_of(parse_content_range(wrong)), ErrorKind::kRangeInvalid) << wrong.substr(0, 60);
}

}  // namespace
}  // namespace wherry::http
