// How sizes, shares and others' words look on a terminal. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wherry::node {

/// "512 B", "12.3 MiB".
std::string human_bytes(double bytes);
/// "[=====>    ]", `width` characters in all; `fraction` is taken into 0..1.
std::string bar(double fraction, std::size_t width);
/// Without bytes that a terminal would obey, and at most `most` long.
std::string printable(std::string_view text, std::size_t most);

}  // namespace wherry::node
