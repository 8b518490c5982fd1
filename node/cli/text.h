// How sizes and shares look on a terminal. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace wherry::node {

/// "512 B", "12.3 MiB".
std::string human_bytes(double bytes);
/// "[=====>    ]", `width` characters in all; `fraction` is taken into 0..1.
std::string bar(double fraction, std::size_t width);

}  // namespace wherry::node
