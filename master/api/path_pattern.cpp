#include "master/api/path_pattern.h"

#include <algorithm>

#include "common/http/uri.h"

namespace wherry::api {
namespace {

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const auto slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    path.remove_prefix(slash + 1);
  }
}

bool is_name(const std::string& part) { return part.starts_with('{') && part.ends_with('}'); }

std::string name_in(const std::string& part) { return part.substr(1, part.size() - 2); }

}  // namespace

PathPattern::PathPattern(std::string text) : text_(std::move(text)), parts_(parts_of(text_)) {}

std::vector<std::string> PathPattern::names() const {
  std::vector<std::string> names;
  for (const std::string& part : parts_)
    if (is_name(part)) names.push_back(name_in(part));
  return names;
}

std::optional<std::map<std::string, std::string>> PathPattern::match(std::string_view path) const {
  const auto parts = parts_of(path);
  if (parts.size() != parts_.size()) return std::nullopt;
  std::map<std::string, std::string> values;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto decoded = http::percent_decode(parts[i]);
    if (!decoded) return std::nullopt;
    if (!is_name(parts_[i])) {
      if (*decoded != parts_[i]) return std::nullopt;
      continue;
    }
    if (decoded->empty()) return std::nullopt;
    values.emplace(name_in(parts_[i]), std::move(*decoded));
  }
  return values;
}

std::size_t PathPattern::fixed_parts() const {
  return parts_.size() - static_cast<std::size_t>(std::ranges::count_if(parts_, is_name));
}

}  // namespace wherry::api
