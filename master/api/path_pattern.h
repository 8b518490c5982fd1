// PathPattern: the paths of an endpoint, with names for the parts that vary. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::api {

/// "/api/v1/nodes/{name}": each {name} stands for one part that is not empty.
class PathPattern {
 public:
  explicit PathPattern(std::string text);

  const std::string& text() const { return text_; }
  /// The names in braces, in order.
  std::vector<std::string> names() const;
  /// What the names stand for in `path` (as sent; parts are decoded one by one, so an escaped slash is no border);
  /// nothing when it does not fit.
  std::optional<std::map<std::string, std::string>> match(std::string_view path) const;
  /// How many parts are fixed: of two patterns that fit the one with more is meant.
  std::size_t fixed_parts() const;

 private:
  std::string text_;
  std::vector<std::string> parts_;
};

}  // namespace wherry::api
