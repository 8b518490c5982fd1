#include "common/base/random.h"

#include <sys/random.h>

#include <vector>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry {

void fill_random(std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = ::getrandom(into.data(), into.size(), 0);
    WHERRY_CHECK(got > 0);
    into = into.subspan(static_cast<std::size_t>(got));
  }
}

std::string random_hex(std::size_t bytes) {
  std::vector<std::byte> buffer(bytes);
  fill_random(buffer);
  return to_hex(buffer);
}

}  // namespace wherry
