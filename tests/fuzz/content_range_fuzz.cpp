// Content-Range, in the form of a chunk and in that of an answer: what is read is sound and reads as itself when
// written again, and no header is both.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/http/range.h"

namespace {

bool is_sound(const wherry::http::ByteRange& range) {
  return range.count > 0 && range.first <= INT64_MAX && range.last() <= INT64_MAX && range.first <= range.last();
}

std::string written(const wherry::http::ByteRange& range) {
  return std::to_string(range.first) + "-" + std::to_string(range.last());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view header(reinterpret_cast<const char*>(data), size);
  const auto chunk = wherry::http::parse_chunk_range(header);
  if (chunk) {
    WHERRY_CHECK(is_sound(*chunk));
    const auto again = wherry::http::parse_chunk_range(written(*chunk));
    WHERRY_CHECK(again && *again == *chunk);
  } else {
    WHERRY_CHECK(chunk.error().kind() == wherry::ErrorKind::kRangeInvalid);
  }
  const auto answer = wherry::http::parse_content_range(header);
  if (answer) {
    WHERRY_CHECK(!chunk && is_sound(answer->range) && answer->range.last() < answer->total);
    const auto again =
        wherry::http::parse_content_range("bytes " + written(answer->range) + "/" + std::to_string(answer->total));
    WHERRY_CHECK(again && again->range == answer->range && again->total == answer->total);
  } else {
    WHERRY_CHECK(answer.error().kind() == wherry::ErrorKind::kRangeInvalid);
  }
  return 0;
}
