#include "common/feed/gzip_stream.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>
#include <utility>

namespace wherry::feed {
namespace {

/// What a client has read of a gzip stream so far.
class Inflated {
 public:
  Inflated() { EXPECT_EQ(::inflateInit2(&stream_, 15 + 16), Z_OK); }
  ~Inflated() { ::inflateEnd(&stream_); }
  Inflated(const Inflated&) = delete;
  Inflated& operator=(const Inflated&) = delete;

  std::string feed(const std::string& compressed) {
    std::string out;
    std::string room(1 << 16, '\0');
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
    stream_.avail_in = static_cast<uInt>(compressed.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      const int done = ::inflate(&stream_, Z_SYNC_FLUSH);
      EXPECT_TRUE(done == Z_OK || done == Z_STREAM_END || done == Z_BUF_ERROR) << done;
      ended_ = ended_ || done == Z_STREAM_END;
      out.append(room, 0, room.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return out;
  }
  bool ended() const { return ended_; }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

TEST(GzipStreamTest, EveryPieceCanBeReadAsSoonAsItHasCome) {
  std::mt19937 random(3);
  GzipStream gzip;
  Inflated client;
  for (const std::size_t size : {1, 5, 100, 254, 255, 256, 257, 1000, 70'000, 1'000'000, 0, 3}) {
    std::string piece(size, '\0');
    for (char& c : piece) c = static_cast<char>(random() % (size > 1000 ? 256 : 7));
    EXPECT_EQ(client.feed(gzip.piece(piece)), piece) << size;
    EXPECT_FALSE(client.ended());
  }
  EXPECT_EQ(client.feed(gzip.end()), "");
  EXPECT_TRUE(client.ended());
}

TEST(GzipStreamTest, WhatRepeatsGetsSmaller) {
  GzipStream gzip;
  std::string names;
  for (int i = 0; i < 1000; ++i) names += "team/service-" + std::to_string(i) + "/image";
  EXPECT_LT(gzip.piece(names).size() * 4, names.size());
}

TEST(GzipStreamTest, AnAcceptEncodingIsReadAsItIsMeant) {
  const std::pair<const char*, bool> cases[] = {
      {"gzip", true},
      {"GZIP", true},
      {"deflate, gzip;q=0.5", true},
      {" gzip ;q=1", true},
      {"", false},
      {"identity", false},
      {"gzip;q=0", false},
      {"gzip; q=0.000", false},
      {"gzip;q=0.01", true},
      {"br,deflate", false},
      {"xgzip", false},
      {",,", false},
      {"gzipped", false},
      {"br;q=1,gzip", true},
      {"*", false},
      {"gzip;", true},
  };
  for (const auto& [header, accepted] : cases) EXPECT_EQ(accepts_gzip(header), accepted) << header;
}

}  // namespace
}  // namespace wherry::feed
