// Bytes and their hexadecimal form, and integers as big-endian bytes (which sort as the numbers do).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wherry {

/// The bytes of a text, without a copy.
inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
/// The text of some bytes, without a copy.
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hexadecimal, two digits a byte.
std::string to_hex(std::span<const std::byte> bytes);
void append_hex(std::string& out, std::span<const std::byte> bytes);

/// The bytes that an even number of hexadecimal digits stand for; nothing for anything else.
std::optional<std::string> from_hex(std::string_view hex);

/// What a hexadecimal digit of either case stands for; -1 for anything else.
inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Appends `value` as eight (four) big-endian bytes: keys made so sort by value.
void append_be64(std::string& out, std::uint64_t value);
void append_be32(std::string& out, std::uint32_t value);

/// Takes eight (four) big-endian bytes off the front of `in`; nothing, and `in` unchanged, when it is shorter.
std::optional<std::uint64_t> take_be64(std::string_view& in);
std::optional<std::uint32_t> take_be32(std::string_view& in);

/// Appends a text with its length before it, and takes one off; nothing when `in` is cut short.
void append_text(std::string& out, std::string_view text);
std::optional<std::string_view> take_text(std::string_view& in);

/// Takes a line off the front of `in`, and its end, if it has one.
inline std::string_view take_line(std::string_view& in) {
  const std::string_view line = in.substr(0, in.find('\n'));
  in.remove_prefix(line.size() < in.size() ? line.size() + 1 : line.size());
  return line;
}

/// The digits of a number without the zeros before it; at least one digit stays.
inline std::string_view without_leading_zeros(std::string_view text) {
  while (text.size() > 1 && text[0] == '0') text.remove_prefix(1);
  return text;
}

/// A decimal number in its shortest form without sign, at most `max`; nothing for anything else.
std::optional<std::uint64_t> parse_decimal(std::string_view text, std::uint64_t max = UINT64_MAX);

}  // namespace wherry
