#include "common/http/chunked.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/support/error_kind.h"

namespace wherry::http {
namespace {

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  bool done = false;
  bool refused = false;
  bool operator==(const Decoded&) const = default;
};
void PrintTo(const Decoded& d, std::ostream* out) {
  *out << "'" << d.body << "' of " << d.consumed << (d.done ? " done" : "") << (d.refused ? " refused" : "");
}

/// Decodes `in` with its first `cut` bytes first, into pieces of `room` bytes.
Decoded decode(std::string_view in, std::size_t cut, std::size_t room) {
  ChunkedDecoder decoder;
  Decoded decoded;
  std::vector<char> out(room);
  for (const std::size_t end : {cut, in.size()})
    while (!decoder.done()) {
      const auto step = decoder.decode(in.substr(decoded.consumed, end - decoded.consumed), out);
      if (!step) {
        EXPECT_EQ(step.error().kind(), ErrorKind::kInvalid);
        decoded.refused = true;
        decoded.body.clear();
        decoded.consumed = 0;
        return decoded;
      }
      EXPECT_LE(step->consumed, end - decoded.consumed);
      EXPECT_LE(step->produced, room);
      decoded.body.append(out.data(), step->produced);
      decoded.consumed += step->consumed;
      if (step->consumed == 0) break;
    }
  decoded.done = decoder.done();
  return decoded;
}

/// However the bytes come and go, the same is decoded.
Decoded decode_every_way(std::string_view in) {
  const Decoded whole = decode(in, 0, 4096);
  const std::size_t cuts = in.size() < 3000 ? in.size() : 0;
  for (std::size_t cut = 0; cut <= cuts; ++cut) EXPECT_EQ(decode(in, cut, 4096), whole) << cut;
  for (const std::size_t room : {1u, 3u}) EXPECT_EQ(decode(in, 0, room), whole) << room;
  return whole;
}

TEST(Chunked, GoodBodiesAreDecodedHoweverTheyAreCut) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0\r\n\r\n", ""},
      {"00000\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"000000000000005\r\nhello\r\n0\r\n\r\n", "hello"},
      {"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "ab"},
      {"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"},
      {"2\r\n\r\n\r\n0\r\n\r\n", "\r\n"},
      {"5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "hello"},
      {"5;\t caf\xc3\xa9\r\nhello\r\n0\r\n\r\n", "hello"},
      {"1\r\nx\r\n0\r\nTrailer: value\r\nOther:\r\n\r\n", "x"},
      {"1\r\nx\r\n0\r\nA: b:c\t\xff\r\n\r\n", "x"},
  };
  for (const auto& [in, body] : cases) EXPECT_EQ(decode_every_way(in), (Decoded{body, in.size(), true, false})) << in;
}

TEST(Chunked, WhatFollowsTheBodyIsLeftAlone) {
  const std::string in = "1\r\nx\r\n0\r\n\r\n";
  EXPECT_EQ(decode_every_way(in + "GET / HTTP/1.1"), (Decoded{"x", in.size(), true, false}));
}

TEST(Chunked, ABodyThatIsCutShortIsNeverDone) {
  const std::string in = "3;a=b\r\nabc\r\n0\r\nA: b\r\n\r\n";
  for (std::size_t size = 0; size < in.size(); ++size) {
    const auto decoded = decode_every_way(in.substr(0, size));
    EXPECT_FALSE(decoded.done) << size;
    EXPECT_FALSE(decoded.refused) << size;
  }
}

TEST(Chunked, WhatTwoReadersCouldUnderstandDifferentlyIsRefused) {
  const std::vector<std::string> bad = {
      "\r\n", "\n", "x\r\n", "5\nhello\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "5\r\nhello\r0\r\n\r\n",
      "5\r\nhello0\r\n\r\n", "5\r\nhello!\r\n0\r\n\r\n", "5\r\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n",
      " 5\r\nhello\r\n0\r\n\r\n", "5 ;a\r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n", "5,\r\nhello\r\n0\r\n\r\n", ";a\r\nhello\r\n0\r\n\r\n",
      "5;a\nb\r\nhello\r\n0\r\n\r\n", std::string("5;\0\r\nhello", 10), "5;a\x7f\r\nhello\r\n0\r\n\r\n",
      "0000000000000005\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "10000000000000000\r\nx", "0\r\nX\r\n\r\n",
      "0\r\n: x\r\n\r\n", "0\r\n x: y\r\n\r\n", "0\r\nA b: c\r\n\r\n", "0\r\nA: b\n\r\n", "0\r\nA: b\x01\r\n\r\n",
      "0\r\n\n", "0\r\n\rx",
      // One byte in the place of a line feed, and all else as it should be.
      "1\r!x\r\n0\r\n\r\n", "1\r\nx\r!0\r\n\r\n", "1\r\nx\r\n0\r!\r\n", "0\r\nA: b\r!\r\n", "0\r\n\r!"};
  for (const auto& in : bad) {
    const auto decoded = decode_every_way(in);
    EXPECT_TRUE(decoded.refused) << in;
  }
}

TEST(Chunked, AHugeChunkOnlyPromises) {
  const auto decoded = decode_every_way("fffffffffffffff\r\nabc");
  EXPECT_EQ(decoded.body, "abc");
  EXPECT_FALSE(decoded.done);
}

TEST(Chunked, ExtensionsAndTrailersAreBounded) {
  const auto with_extension = [](std::size_t bytes) {
    return "1;" + std::string(bytes - 1, 'e') + "\r\nx\r\n0\r\n\r\n";
  };
  EXPECT_TRUE(decode_every_way(with_extension(ChunkedDecoder::kMaxExtensionBytes)).done);
  EXPECT_TRUE(decode_every_way(with_extension(ChunkedDecoder::kMaxExtensionBytes + 1)).refused);
  const auto with_trailer = [](std::size_t bytes) { return "0\r\nA:" + std::string(bytes, 't') + "\r\n\r\n"; };
  EXPECT_TRUE(decode_every_way(with_trailer(ChunkedDecoder::kMaxTrailerBytes - 10)).done);
  EXPECT_TRUE(decode_every_way(with_trailer(ChunkedDecoder::kMaxTrailerBytes)).refused);
  std::string many = "0\r\n";
  for (int i = 0; i < 5000; ++i) many += "A:\r\n";
  EXPECT_TRUE(decode_every_way(many + "\r\n").refused);
}

}  // namespace
}  // namespace wherry::http
