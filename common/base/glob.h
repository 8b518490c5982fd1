// Patterns of names, as configuration has them.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wherry {

/// True when the whole of `text` fits `pattern`: '*' stands for any characters ('/' too) or none, '?' for one. No
/// allocation; at worst pattern times text.
bool glob_matches(std::string_view pattern, std::string_view text);

/// The same for names of several parts: '*' and '?' stand for no '/', "**" for anything. "team/**" is all below team.
bool path_glob_matches(std::string_view pattern, std::string_view text);

/// True when one of them fits.
bool any_glob_matches(std::span<const std::string> patterns, std::string_view text);

}  // namespace wherry
