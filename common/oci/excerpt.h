// A piece of somebody's input, made fit to stand in an error message.
#pragma once

#include <string>
#include <string_view>

namespace wherry {

/// `text` in single quotes, cut after 64 bytes with "...", every byte that is not printable ASCII shown as '?'. A
/// message so made is short, one line and valid UTF-8 whatever came in. O(1).
std::string excerpt(std::string_view text);

}  // namespace wherry
