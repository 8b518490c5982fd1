#include "common/base/random.h"

#include <sys/random.h>

#include <vector>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry {

std::string random_hex(std::size_t bytes) {
  std::vector<std::byte> buffer(bytes);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::getrandom(buffer.data() + done, bytes - done, 0);
    WHERRY_CHECK(got > 0);
    done += static_cast<std::size_t>(got);
  }
  return to_hex(buffer);
}

}  // namespace wherry
