// Texts that are the same but for case.
#pragma once

#include <string>
#include <string_view>

namespace wherry {

/// The text with a-z for A-Z; all else as it is.
inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace wherry
