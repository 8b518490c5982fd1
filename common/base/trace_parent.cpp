#include "common/base/trace_parent.h"

#include <algorithm>

namespace wherry {
namespace {

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

TraceParent TraceParent::parse(std::string_view value) {
  TraceParent none;
  if (value.size() < kBytes || value[2] != '-' || value[35] != '-' || value[52] != '-') return none;
  const auto version = value.substr(0, 2);
  const auto trace = value.substr(3, 32);
  const auto parent = value.substr(36, 16);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(value.substr(53, 2))) return none;
  if (version == "ff" || is_zero(trace) || is_zero(parent)) return none;
  if (value.size() > kBytes && (version == "00" || value[kBytes] != '-')) return none;
  TraceParent read;
  std::copy_n(value.begin(), kBytes, read.text_.begin());
  read.text_[0] = read.text_[1] = '0';
  read.there_ = true;
  return read;
}

}  // namespace wherry
