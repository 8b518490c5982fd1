#include "common/feed/gzip_stream.h"

#include <zlib.h>

#include "common/base/check.h"
#include "common/http/request.h"

namespace wherry::feed {
namespace {

// 4 KiB of window and small tables: thousands of streams may be compressed at once, and names repeat soon.
constexpr int kWindowBits = 12;
constexpr int kGzipForm = 16;
constexpr int kMemoryLevel = 5;
constexpr std::size_t kLeastRoom = 256;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

void GzipStream::End::operator()(z_stream_s* stream) const {
  ::deflateEnd(stream);
  delete stream;
}

GzipStream::GzipStream() : stream_(new z_stream_s{}) {
  const int begun = ::deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, kWindowBits + kGzipForm, kMemoryLevel,
                                   Z_DEFAULT_STRATEGY);
  WHERRY_CHECK(begun == Z_OK);
}

std::string GzipStream::deflate(std::string_view bytes, bool is_last) {
  std::string out;
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
  do {  // zlib is done when it leaves some of the room
    const std::size_t written = out.size();
    const std::size_t room = kLeastRoom + bytes.size() / 2;
    out.resize(written + room);
    stream_->next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream_->avail_out = static_cast<uInt>(room);
    const int done = ::deflate(stream_.get(), is_last ? Z_FINISH : Z_SYNC_FLUSH);
    WHERRY_CHECK(done == Z_OK || done == Z_STREAM_END || done == Z_BUF_ERROR);
    out.resize(written + room - stream_->avail_out);
  } while (stream_->avail_out == 0);
  return out;
}

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const std::string_view coding = accept_encoding.substr(0, comma);
    const auto semicolon = coding.find(';');
    const std::string_view weight =
        semicolon == std::string_view::npos ? std::string_view() : trimmed(coding.substr(semicolon + 1));
    const bool is_refused = weight.starts_with("q=0") && weight.find_first_not_of("0.", 2) == std::string_view::npos;
    if (http::equal_ignoring_case(trimmed(coding.substr(0, semicolon)), "gzip")) return !is_refused;
    if (comma == std::string_view::npos) return false;
    accept_encoding.remove_prefix(comma + 1);
  }
  return false;
}

}  // namespace wherry::feed
