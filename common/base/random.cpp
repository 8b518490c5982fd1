#include "common/base/random.h"

#include <sys/random.h>

#include <cstdint>
#include <random>
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

std::chrono::milliseconds jittered(std::chrono::milliseconds pause) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<std::int64_t> between(pause.count() / 2, pause.count());
  return std::chrono::milliseconds(between(random));
}

}  // namespace wherry
