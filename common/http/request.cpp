#include "common/http/request.h"

#include <algorithm>

namespace wherry::http {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  // Most bytes are the same: how they are in lower case is asked of the others.
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return x == y || lower(x) == lower(y); });
}

std::string_view Request::header(std::string_view name) const {
  for (std::size_t i = 0; i < header_count; ++i)
    if (equal_ignoring_case(header_list[i].name, name)) return header_list[i].value;
  return {};
}

bool Request::has_header(std::string_view name) const {
  for (std::size_t i = 0; i < header_count; ++i)
    if (equal_ignoring_case(header_list[i].name, name)) return true;
  return false;
}

std::string Request::target() const {
  std::string target(path);
  if (!query.empty()) target.append("?").append(query);
  return target;
}

std::string Request::joined_header(std::string_view name) const {
  std::string joined;
  for (std::size_t i = 0; i < header_count; ++i) {
    if (!equal_ignoring_case(header_list[i].name, name)) continue;
    if (!joined.empty()) joined += ", ";
    joined += header_list[i].value;
  }
  return joined;
}

}  // namespace wherry::http
