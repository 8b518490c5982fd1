// Listener: takes connections in on one loop; several loops share a port by SO_REUSEPORT.
#pragma once

#include <uv.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "common/async/loop.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/net/address.h"

namespace wherry {

/// Listening, non-blocking sockets on one address (the kernel chooses a port where it is 0), among which the kernel
/// divides what comes in. Errors: kIo with the address in its message; an address on which somebody else listens,
/// another process of the same user included, is one.
Result<std::vector<UniqueFd>> listen_on(SocketAddress address, std::size_t sockets);

/// Hands every connection that comes in on `fd` to `taken`. When the process is out of descriptors it sheds connections
/// (accept and close, by a descriptor kept for that) and rests, so that it does not spin.
class Listener {
 public:
  Listener(Loop& loop, UniqueFd fd, std::function<void(UniqueFd)> taken);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Takes all that wait to be accepted: a listener that is closed resets those that it leaves behind.
  void accept_all();

 private:
  struct Handle {
    uv_poll_t poll{};
    Listener* owner = nullptr;
  };
  /// At most kAcceptsATurn; true when more may be waiting.
  bool accept_some();
  void shed();
  void listen();

  Loop& loop_;
  UniqueFd fd_;
  UniqueFd reserve_;
  Handle* handle_;
  Deadline rest_;
  std::function<void(UniqueFd)> taken_;
};

}  // namespace wherry
