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

}  // namespace wherry::node
