#include "common/config/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wherry {

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

std::string text_table(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const std::string& title : heading) widths.push_back(title.size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  std::string table;
  const auto add = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i) {
      line += row[i];
      line.append(widths[i] + 2 - row[i].size(), ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    table += line + "\n";
  };
  add(heading);
  for (const auto& row : rows) add(row);
  return table;
}

}  // namespace wherry
