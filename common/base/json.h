// JSON strings, for the few places that write JSON without a document model.
#pragma once

#include <string>
#include <string_view>

namespace wherry {

/// Appends `text` as a JSON string with its quotes. Control bytes are escaped and bytes that are not UTF-8 replaced, so
/// that the result is valid whatever came in. O(n).
void append_json_string(std::string& out, std::string_view text);

inline std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace wherry
