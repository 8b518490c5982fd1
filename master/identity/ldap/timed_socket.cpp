#include "master/identity/ldap/timed_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace wherry::master::ldap {

const Sockbuf_IO TimedSocket::kLayer = {
    .sbi_setup = &TimedSocket::set_up,
    .sbi_remove = [](Sockbuf_IO_Desc*) { return 0; },
    .sbi_ctrl = [](Sockbuf_IO_Desc*, int, void*) { return 0; },
    .sbi_read = &TimedSocket::read,
    .sbi_write = &TimedSocket::write,
    .sbi_close = &TimedSocket::close,
};

std::unique_ptr<TimedSocket> TimedSocket::attach(Sockbuf* buffer, UniqueFd fd) {
  std::unique_ptr<TimedSocket> socket(new TimedSocket(std::move(fd)));
  const int added =
      ber_sockbuf_add_io(buffer, const_cast<Sockbuf_IO*>(&kLayer), LBER_SBIOD_LEVEL_PROVIDER, socket.get());
  return added == 0 ? std::move(socket) : nullptr;
}

std::chrono::microseconds TimedSocket::left() const {
  const auto time = std::chrono::floor<std::chrono::microseconds>(deadline_ - Clock::system().monotonic());
  return std::max(time, std::chrono::microseconds(0));
}

int TimedSocket::set_up(Sockbuf_IO_Desc* layer, void* self) {
  layer->sbiod_pvt = self;
  return 0;
}

bool TimedSocket::wait_for(short event) {
  while (true) {
    pollfd waiting{fd_.get(), event, 0};
    // Once even when the time is up: the farewell of a connection that is given up.
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(left());
    const int ready = ::poll(&waiting, 1, static_cast<int>(time.count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    errno = ETIMEDOUT;
    if (is_over()) return false;
  }
}

ber_slen_t TimedSocket::read(Sockbuf_IO_Desc* layer, void* into, ber_len_t length) {
  TimedSocket& self = of(layer);
  while (self.wait_for(POLLIN)) {
    // Bytes that dribble in are always there to be read: that they are does not lengthen the time.
    if (self.is_over()) {
      errno = ETIMEDOUT;
      return -1;
    }
    const auto got = ::recv(self.fd_.get(), into, length, MSG_DONTWAIT);
    if (got >= 0 || (errno != EAGAIN && errno != EINTR)) return got;
  }
  return -1;
}

ber_slen_t TimedSocket::write(Sockbuf_IO_Desc* layer, void* from, ber_len_t length) {
  TimedSocket& self = of(layer);
  while (self.wait_for(POLLOUT)) {
    const auto sent = ::send(self.fd_.get(), from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || (errno != EAGAIN && errno != EINTR)) return sent;
  }
  return -1;
}

int TimedSocket::close(Sockbuf_IO_Desc* layer) {
  of(layer).fd_.reset();
  return 0;
}

}  // namespace wherry::master::ldap
