#include "common/http/range.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/http/request.h"

namespace wherry::http {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// A position: decimal digits, leading zeros allowed (RFC 9110 says 1*DIGIT), at most 2^63-1.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  return parse_decimal(without_leading_zeros(text), INT64_MAX);
}

/// A position in a request for ranges: one beyond 2^63-1 only says "more than there is".
std::optional<std::uint64_t> parse_bound(std::string_view text) {
  if (auto position = parse_position(text)) return position;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_digit)) return std::nullopt;
  return INT64_MAX;
}

bool overlap(const std::vector<ByteRange>& ranges) {
  auto sorted = ranges;
  std::sort(sorted.begin(), sorted.end(), [](const ByteRange& a, const ByteRange& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].first <= sorted[i - 1].last()) return true;
  return false;
}

}  // namespace

Result<std::vector<ByteRange>> parse_range(std::string_view header, std::uint64_t size) {
  std::vector<ByteRange> ranges;
  const auto equals = header.find('=');
  if (equals == std::string_view::npos || !equal_ignoring_case(trim(header.substr(0, equals)), "bytes")) return ranges;
  auto rest = header.substr(equals + 1);
  std::size_t asked = 0;
  while (true) {
    const auto comma = rest.find(',');
    const auto spec = trim(rest.substr(0, comma));
    if (!spec.empty()) {
      if (++asked > kMaxRanges) return std::vector<ByteRange>();
      const auto dash = spec.find('-');
      if (dash == std::string_view::npos) return std::vector<ByteRange>();
      const auto first = parse_bound(spec.substr(0, dash));
      const auto last = parse_bound(spec.substr(dash + 1));
      if (dash == 0) {
        if (!last) return std::vector<ByteRange>();
        const auto count = std::min(*last, size);
        if (count > 0) ranges.push_back({size - count, count});
      } else {
        const bool open = dash + 1 == spec.size();
        if (!first || (!open && (!last || *last < *first))) return std::vector<ByteRange>();
        if (*first < size) ranges.push_back({*first, (open ? size - 1 : std::min(*last, size - 1)) - *first + 1});
      }
    }
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (asked == 0) return ranges;
  if (ranges.empty()) return Error(ErrorKind::kRangeInvalid, "the range '{}' lies beyond the {} bytes", header, size);
  if (overlap(ranges)) ranges.clear();
  return ranges;
}

Result<ContentRange> parse_content_range(std::string_view header) {
  const auto wrong = [&] {
    return Error(ErrorKind::kRangeInvalid, "Content-Range '{}' is not bytes FIRST-LAST/TOTAL", header);
  };
  const auto text = trim(header);
  const auto space = text.find(' ');
  const auto slash = text.find('/');
  if (space == std::string_view::npos || slash == std::string_view::npos || slash < space) return wrong();
  if (!equal_ignoring_case(text.substr(0, space), "bytes")) return wrong();
  const auto positions = text.substr(space + 1, slash - space - 1);
  const auto dash = positions.find('-');
  if (dash == std::string_view::npos) return wrong();
  const auto first = parse_position(positions.substr(0, dash));
  const auto last = parse_position(positions.substr(dash + 1));
  const auto total = parse_position(text.substr(slash + 1));
  if (!first || !last || !total || *last < *first || *last >= *total) return wrong();
  return ContentRange{{*first, *last - *first + 1}, *total};
}

Result<ByteRange> parse_chunk_range(std::string_view header) {
  const auto text = trim(header);
  const auto dash = text.find('-');
  const auto wrong = [&] { return Error(ErrorKind::kRangeInvalid, "Content-Range '{}' is not FIRST-LAST", header); };
  if (dash == std::string_view::npos) return wrong();
  const auto first = parse_position(text.substr(0, dash));
  const auto last = parse_position(text.substr(dash + 1));
  if (!first || !last || *last < *first) return wrong();
  return ByteRange{*first, *last - *first + 1};
}

}  // namespace wherry::http
