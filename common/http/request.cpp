#include "common/http/request.h"

#include <algorithm>

namespace wherry::http {

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
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

bool is_token_char(char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

}  // namespace wherry::http
