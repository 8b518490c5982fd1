#include "common/oci/excerpt.h"

#include <cstddef>

namespace wherry {
namespace {
constexpr std::size_t kMaxExcerptBytes = 64;
}  // namespace

std::string printable(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  for (char& c : out)
    if (!(c >= 0x20 && c < 0x7f)) c = '?';
  return out;
}

std::string excerpt(std::string_view text) {
  std::string out = "'" + printable(text, kMaxExcerptBytes);
  if (text.size() > kMaxExcerptBytes) out.append("...");
  out.push_back('\'');
  return out;
}

}  // namespace wherry
