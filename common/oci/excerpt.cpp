#include "common/oci/excerpt.h"

#include <cstddef>

namespace wherry {
namespace {
constexpr std::size_t kMaxExcerptBytes = 64;
}  // namespace

std::string excerpt(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, kMaxExcerptBytes)) out.push_back(c >= 0x20 && c < 0x7f ? c : '?');
  if (text.size() > kMaxExcerptBytes) out.append("...");
  out.push_back('\'');
  return out;
}

}  // namespace wherry
