// Range: what is given lies within the size, in few pieces that do not overlap, and asks for itself when written again.
// The first eight bytes of an input are the size, the rest is the header.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/http/range.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t input_size) {
  std::string_view header(reinterpret_cast<const char*>(data), input_size);
  const auto number = wherry::take_be64(header);
  if (!number) return 0;
  const std::uint64_t size = *number & INT64_MAX;  // no blob is larger

  const auto ranges = wherry::http::parse_range(header, size);
  if (!ranges) {
    WHERRY_CHECK(ranges.error().kind() == wherry::ErrorKind::kRangeInvalid);
    return 0;
  }
  WHERRY_CHECK(ranges->size() <= wherry::http::kMaxRanges);
  std::uint64_t sum = 0;
  std::string again = "bytes=";
  for (const auto& range : *ranges) {
    WHERRY_CHECK(range.count > 0 && range.first < size && range.count <= size - range.first);
    sum += range.count;
    WHERRY_CHECK(sum <= size);
    again += std::to_string(range.first) + "-" + std::to_string(range.last()) + ",";
  }
  auto sorted = *ranges;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < sorted.size(); ++i) WHERRY_CHECK(sorted[i - 1].last() < sorted[i].first);
  if (!ranges->empty()) {
    const auto read = wherry::http::parse_range(again, size);
    WHERRY_CHECK(read && *read == *ranges);
  }
  return 0;
}
