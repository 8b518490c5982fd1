#include "common/base/byte_scan.h"

#include <gtest/gtest.h>

#include <string>

namespace wherry {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

TEST(FindByte, FindsTheFirstOneWhereverItStandsAmongAnyNeighbours) {
  const auto which = [](SomeBytes bytes) { return bytes.below(0x20) | bytes.equal_to(0x7f) | bytes.equal_to('"'); };
  const auto is_one = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"'; };
  // Beside those that look alike by all but one bit, on both sides.
  for (const char other : {' ', '!', '#', '~', '\x80', '\x9f', '\xa2', '\xff'})
    for (std::size_t size = 0; size <= 50; ++size) {
      std::string text(size, other);
      EXPECT_EQ(find_byte(text, which, is_one), kNone) << size;
      for (std::size_t at = 0; at < size; ++at)
        for (const char one : {'\0', '\1', '\x1f', '\x7f', '"'}) {
          text[at] = one;
          EXPECT_EQ(find_byte(text, which, is_one), at) << size;
          if (at + 1 < size) {
            text.back() = '"';
            EXPECT_EQ(find_byte(text, which, is_one), at) << size;
          }
          text.assign(size, other);
        }
    }
}

TEST(SomeBytes, TellsEachByteFromTheOthers) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(SomeBytes::kCount, static_cast<char>(byte));
    const SomeBytes bytes(text.data());
    for (int other = 0; other < 256; ++other) {
      const auto value = static_cast<unsigned char>(other);
      EXPECT_EQ(SomeBytes::any(bytes.below(value)), byte < other) << byte << ' ' << other;
      EXPECT_EQ(SomeBytes::any(bytes.at_least(value)), byte >= other) << byte << ' ' << other;
      EXPECT_EQ(SomeBytes::any(bytes.equal_to(value)), byte == other) << byte << ' ' << other;
    }
  }
}

}  // namespace
}  // namespace wherry
