#include "common/base/bytes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace wherry {
namespace {

const std::vector<std::uint64_t> kNumbers = {
    0,          1,          255,        256,        65535,     65536,          0x01020304, 0x7fffffff,
    0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 63, INT64_MAX, UINT64_MAX - 1, UINT64_MAX};

TEST(Bytes, AnIntegerIsReadBackAndItsBytesSortAsTheNumbersDo) {
  std::vector<std::string> encoded;
  for (const std::uint64_t number : kNumbers) {
    append_be64(encoded.emplace_back(), number);
    std::string_view in = encoded.back();
    EXPECT_EQ(take_be64(in), number);
    EXPECT_TRUE(in.empty());
  }
  std::vector<std::uint64_t> numbers = kNumbers;
  std::ranges::sort(numbers);
  std::ranges::sort(encoded);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::string_view in = encoded[i];
    EXPECT_EQ(take_be64(in), numbers[i]);
  }
}

TEST(Bytes, AShortIntegerHasFourBytesOnTheWire) {
  std::string out;
  append_be32(out, 0x01020304);
  EXPECT_EQ(out, std::string("\x01\x02\x03\x04"));
  std::string_view in = out;
  EXPECT_EQ(take_be32(in), 0x01020304u);
}

TEST(Bytes, WhatIsCutShortIsNotTakenAndStays) {
  std::string whole;
  append_text(whole, "hello");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::string_view cut = std::string_view(whole).substr(0, size);
    std::string_view in = cut;
    EXPECT_EQ(take_text(in), std::nullopt) << size;
    EXPECT_EQ(in, cut);
    if (size < 8) {
      EXPECT_EQ(take_be64(in), std::nullopt) << size;
    }
    if (size < 4) {
      EXPECT_EQ(take_be32(in), std::nullopt) << size;
    }
    EXPECT_EQ(in.size(), size);
  }
}

TEST(Bytes, ATextThatClaimsToBeLongerThanAllThereIsIsNotTaken) {
  const std::string lie = std::string("\xff\xff\xff\xff") + "abc";
  std::string_view in = lie;
  EXPECT_EQ(take_text(in), std::nullopt);
  EXPECT_EQ(in.size(), lie.size());
}

TEST(Bytes, TextsFollowEachOtherWhateverTheyHold) {
  const std::vector<std::string> texts = {"", "a", std::string("\0\0", 2), std::string(70000, 'x'), "\xff\n"};
  std::string out;
  for (const auto& text : texts) append_text(out, text);
  std::string_view in = out;
  for (const auto& text : texts) EXPECT_EQ(take_text(in), text);
  EXPECT_TRUE(in.empty());
}

TEST(Bytes, HexIsTwoLowerCaseDigitsAByte) {
  EXPECT_EQ(to_hex(as_bytes("")), "");
  EXPECT_EQ(to_hex(as_bytes(std::string("\x00\x0f\xf0\xff\x5a", 5))), "000ff0ff5a");
}

TEST(Bytes, ADecimalNumberHasOneFormAlone) {
  for (const std::uint64_t number : kNumbers) EXPECT_EQ(parse_decimal(std::to_string(number)), number);
  const std::vector<std::string> wrong = {"",
                                          "00",
                                          "01",
                                          "+1",
                                          "-1",
                                          " 1",
                                          "1 ",
                                          "1.0",
                                          "1e3",
                                          "0x1",
                                          "1a",
                                          "a",
                                          "\n",
                                          "1\n",
                                          std::string("1\0", 2),
                                          "18446744073709551616",
                                          "18446744073709551620",
                                          "99999999999999999999",
                                          "184467440737095516150",
                                          std::string(100000, '9')};
  for (const auto& text : wrong) EXPECT_EQ(parse_decimal(text), std::nullopt) << text.substr(0, 40);
}

TEST(Bytes, ADecimalNumberKeepsItsBound) {
  EXPECT_EQ(parse_decimal("65535", 65535), 65535u);
  EXPECT_EQ(parse_decimal("65536", 65535), std::nullopt);
  EXPECT_EQ(parse_decimal("0", 0), 0u);
  EXPECT_EQ(parse_decimal("9223372036854775807", INT64_MAX), std::uint64_t{INT64_MAX});
  EXPECT_EQ(parse_decimal("9223372036854775808", INT64_MAX), std::nullopt);
}

TEST(Bytes, OneDigitStaysOfANumberOfZeros) {
  EXPECT_EQ(without_leading_zeros("000"), "0");
  EXPECT_EQ(without_leading_zeros("0007"), "7");
  EXPECT_EQ(without_leading_zeros("10"), "10");
  EXPECT_EQ(without_leading_zeros(""), "");
}

}  // namespace
}  // namespace wherry
