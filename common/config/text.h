// How sizes and shares look on a terminal. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wherry {

/// "512 B", "12.3 MiB".
std::string human_bytes(double bytes);
/// "[=====>    ]", `width` characters in all; `fraction` is taken into 0..1.
std::string bar(double fraction, std::size_t width);

/// Rows below a heading, each column as wide as its widest text, two spaces between them; a line each.
std::string text_table(const std::vector<std::string>& heading, const std::vector<std::vector<std::string>>& rows);

}  // namespace wherry
