// Paths and queries of request targets. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::http {

/// Whether percent_decode() resolves it. O(n), no allocation.
bool is_well_escaped(std::string_view text);
/// Resolves percent escapes. Nothing when one is cut short, not hexadecimal or gives a NUL.
std::optional<std::string> percent_decode(std::string_view text);
/// Escapes everything but unreserved characters (RFC 3986 2.3) and those of `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = "");

/// The first value of `name` in a query, decoded ('+' stays); nothing when it is not there or badly escaped.
std::optional<std::string> query_value(std::string_view query, std::string_view name);
/// All values of `name`, in order, but for those that are badly escaped.
std::vector<std::string> query_values(std::string_view query, std::string_view name);

}  // namespace wherry::http
