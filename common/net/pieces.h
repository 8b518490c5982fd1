// Stepping through what is to be sent.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace wherry {

/// Takes `bytes` (at most what they hold) off the front of `pieces`, changing the first one that is left.
inline void take_off(std::span<iovec>& pieces, std::size_t bytes) {
  while (!pieces.empty() && bytes >= pieces[0].iov_len) {
    bytes -= pieces[0].iov_len;
    pieces = pieces.subspan(1);
  }
  if (pieces.empty()) return;
  pieces[0].iov_base = static_cast<char*>(pieces[0].iov_base) + bytes;
  pieces[0].iov_len -= bytes;
}

}  // namespace wherry
