// The TOML files of clients, read by toml++. Include this, not the library: it is compiled once, without exceptions.
#pragma once

#define TOML_HEADER_ONLY 0
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include <string_view>

#include "common/base/error.h"

namespace wherry::node {

/// Errors: kInvalid, naming line and reason.
Result<toml::table> parse_toml(std::string_view text);

/// Where in a text a line begins (the first is 1); its size when there are fewer lines.
std::size_t start_of_line(std::string_view text, std::size_t line);

/// A text as a TOML string with its quotes.
std::string toml_string(std::string_view text);

}  // namespace wherry::node
