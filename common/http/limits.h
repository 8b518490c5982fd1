// What a server grants a client before it gives up on it. Configuration may change each.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace wherry::http {

struct Limits {
  std::chrono::milliseconds head_time{15'000};     ///< From a head's first byte (or the connection) to its end.
  std::chrono::milliseconds idle_time{75'000};     ///< Between two requests.
  std::chrono::milliseconds body_silence{30'000};  ///< Without a byte of a request's body.
  std::chrono::milliseconds send_silence{60'000};  ///< Without room for a byte of a response.
  std::chrono::milliseconds rate_grace{10'000};    ///< Waited for a body this long in all, the rate below holds.
  std::uint64_t body_bytes_per_second = 1024;
  std::size_t connections = 16'384;  ///< In the whole process; one more is answered 503 and closed.
};

}  // namespace wherry::http
