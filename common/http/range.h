// Byte ranges: the Range header of a request and the Content-Range of an upload chunk. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace wherry::http {

/// Bytes from `first`, `count` of them; count is never 0.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t last() const { return first + count - 1; }
  bool operator==(const ByteRange&) const = default;
};

/// A Range header that asks for more parts than this is answered with the whole, as is one whose parts overlap: both
/// are how memory and links were exhausted elsewhere (CVE-2011-3192).
constexpr std::size_t kMaxRanges = 64;

/// The ranges that `header` asks of `size` bytes, in the order asked, each cut to what exists and those beyond the end
/// left out. Empty: answer with the whole (no header, another unit, not in the grammar, too many, overlapping).
/// Errors: kRangeInvalid when none can be satisfied. Source: RFC 9110 14.1.2, 14.2.
Result<std::vector<ByteRange>> parse_range(std::string_view header, std::uint64_t size);

/// The Content-Range of an answer that sends a part of `total` bytes.
struct ContentRange {
  ByteRange range;
  std::uint64_t total = 0;
};

/// Reads "bytes FIRST-LAST/TOTAL". Errors: kRangeInvalid, also for a total that is not told ("*") and a range that does
/// not lie within it. Source: RFC 9110 14.4.
Result<ContentRange> parse_content_range(std::string_view header);

/// The Content-Range of a chunk as the distribution specification writes it: "FIRST-LAST", inclusive. Errors:
/// kRangeInvalid, also for the form of RFC 9110, whose total would promise more than the specification does.
Result<ByteRange> parse_chunk_range(std::string_view header);

}  // namespace wherry::http
