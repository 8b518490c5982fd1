// A piece of somebody's input, made fit to stand in an error message.
#pragma once

#include <string>
#include <string_view>

namespace wherry {

/// `text` cut after `most` bytes, every byte that is not printable ASCII shown as '?': nothing that a terminal or a log
/// would obey.
std::string printable(std::string_view text, std::size_t most);

/// `text` in single quotes, cut after 64 bytes with "...", every byte that is not printable ASCII shown as '?'. A
/// message so made is short, one line and valid UTF-8 whatever came in. O(1).
std::string excerpt(std::string_view text);

}  // namespace wherry
