#include "node/cli/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wherry::node {

std::string human_bytes(double bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, kUnits[unit]);
}

std::string bar(double fraction, std::size_t width) {
  if (width < 3) return {};
  const std::size_t room = width - 2;
  const auto full = static_cast<std::size_t>(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(room));
  std::string inside(full, '=');
  if (full > 0 && full < room) inside.back() = '>';
  inside.resize(room, ' ');
  return "[" + inside + "]";
}

std::string printable(std::string_view text, std::size_t most) {
  std::string shown;
  for (const char c : text.substr(0, most)) {
    const auto byte = static_cast<unsigned char>(c);
    shown.push_back(byte < 0x20 || byte >= 0x7f ? '?' : c);
  }
  return shown;
}

}  // namespace wherry::node
