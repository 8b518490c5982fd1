#include "common/base/glob.h"

#include <algorithm>

namespace wherry {

bool glob_matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last one seen, and how much of the text it took
  std::size_t taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool path_glob_matches(std::string_view pattern, std::string_view text) {
  // One place to go back to for each kind of star: when the inner one may take no more, the outer one takes one more.
  struct Star {
    std::size_t after = std::string_view::npos;  // in the pattern
    std::size_t taken = 0;                       // of the text
  };
  Star one;
  Star all;
  std::size_t p = 0;
  std::size_t t = 0;
  while (t < text.size()) {
    if (pattern.substr(p).starts_with("**")) {
      p += 2;
      all = {p, t};
      one = {};
    } else if (p < pattern.size() && pattern[p] == '*') {
      one = {++p, t};
    } else if (p < pattern.size() && (pattern[p] == text[t] || (pattern[p] == '?' && text[t] != '/'))) {
      ++p;
      ++t;
    } else if (one.after != std::string_view::npos && text[one.taken] != '/') {
      p = one.after;
      t = ++one.taken;
    } else if (all.after != std::string_view::npos) {
      p = all.after;
      t = ++all.taken;
      one = {};
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool any_glob_matches(std::span<const std::string> patterns, std::string_view text) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const auto& pattern) { return glob_matches(pattern, text); });
}

}  // namespace wherry
