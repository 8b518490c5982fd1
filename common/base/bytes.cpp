#include "common/base/bytes.h"

#include <array>
#include <cstring>

namespace wherry {

namespace {

/// The two digits of each byte.
constexpr auto kHexPairs = [] {
  constexpr char kDigits[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (std::size_t value = 0; value < pairs.size(); ++value) pairs[value] = {kDigits[value >> 4], kDigits[value & 15]};
  return pairs;
}();

}  // namespace

void append_hex(std::string& out, std::span<const std::byte> bytes) {
  std::size_t at = out.size();
  out.resize(at + bytes.size() * 2);
  for (const std::byte b : bytes) {
    std::memcpy(out.data() + at, kHexPairs[std::to_integer<std::size_t>(b)].data(), 2);
    at += 2;
  }
}

std::string to_hex(std::span<const std::byte> bytes) {
  std::string out;
  append_hex(out, bytes);
  return out;
}

namespace {

template <class Int>
void append_be(std::string& out, Int value) {
  for (int shift = static_cast<int>(sizeof(Int)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((value >> shift) & 0xff));
}

template <class Int>
std::optional<Int> take_be(std::string_view& in) {
  if (in.size() < sizeof(Int)) return std::nullopt;
  Int value = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i)
    value = static_cast<Int>(value << 8) | static_cast<unsigned char>(in[i]);
  in.remove_prefix(sizeof(Int));
  return value;
}

}  // namespace

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

void append_be64(std::string& out, std::uint64_t value) { append_be(out, value); }
void append_be32(std::string& out, std::uint32_t value) { append_be(out, value); }
std::optional<std::uint64_t> take_be64(std::string_view& in) { return take_be<std::uint64_t>(in); }
std::optional<std::uint32_t> take_be32(std::string_view& in) { return take_be<std::uint32_t>(in); }

void append_text(std::string& out, std::string_view text) {
  append_be32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

std::optional<std::string_view> take_text(std::string_view& in) {
  std::string_view rest = in;
  const auto size = take_be32(rest);
  if (!size || rest.size() < *size) return std::nullopt;
  const auto text = rest.substr(0, *size);
  in = rest.substr(*size);
  return text;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    if (__builtin_mul_overflow(value, 10U, &value)) return std::nullopt;
    if (__builtin_add_overflow(value, static_cast<std::uint64_t>(c - '0'), &value)) return std::nullopt;
  }
  return value <= max ? std::optional(value) : std::nullopt;
}

}  // namespace wherry
