#include "common/http/uri.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/bytes.h"

namespace wherry::http {
namespace {

/// What the escape at the front of `text` stands for; nothing for a broken one, and for a NUL.
std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 3) return std::nullopt;
  const int high = hex_value(text[1]);
  const int low = hex_value(text[2]);
  if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
  return static_cast<char>(high * 16 + low);
}

/// Calls `visit` with each value of `name` as it stands there, until it gives false.
template <class Visit>
void for_each_raw_value(std::string_view query, std::string_view name, Visit&& visit) {
  while (!query.empty()) {
    const auto end = query.find('&');
    const auto pair = query.substr(0, end);
    const auto equals = pair.find('=');
    const auto raw = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    if (pair.substr(0, equals) == name && !visit(raw)) return;
    if (end == std::string_view::npos) return;
    query.remove_prefix(end + 1);
  }
}

}  // namespace

bool is_well_escaped(std::string_view text) {
  for (auto at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3))
    if (!escaped_byte(text.substr(at))) return false;
  return true;
}

std::optional<std::string> percent_decode(std::string_view text) {
  const std::size_t plain = std::min(text.find('%'), text.size());
  std::string out(text.substr(0, plain));
  if (plain == text.size()) return out;
  out.reserve(text.size());
  for (std::size_t i = plain; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const auto byte = escaped_byte(text.substr(i));
    if (!byte) return std::nullopt;
    out.push_back(*byte);
    i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text, std::string_view keep) {
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                            c == '.' || c == '_' || c == '~';
    if (unreserved || keep.find(c) != std::string_view::npos)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::vector<std::string> query_values(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  for_each_raw_value(query, name, [&](std::string_view raw) {
    if (auto value = percent_decode(raw)) values.push_back(std::move(*value));
    return true;
  });
  return values;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  std::optional<std::string> first;
  for_each_raw_value(query, name, [&](std::string_view raw) {
    first = percent_decode(raw);
    return false;
  });
  return first;
}

}  // namespace wherry::http
