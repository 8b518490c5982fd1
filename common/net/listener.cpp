#include "common/net/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "common/base/check.h"
#include "common/base/log.h"

namespace wherry {
namespace {

constexpr int kBacklog = 4096;
constexpr int kAcceptsATurn = 64;
constexpr std::chrono::milliseconds kRestWhenStarved{250};

Result<UniqueFd> bound_socket(const SocketAddress& address, bool shares) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error(errno, "open a socket");
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (shares) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  if (::bind(fd.get(), address.raw(), address.length) != 0)
    return system_error(errno, "listen on " + address.to_string());
  // The first one shares from now on: had it before, it would join those of another process.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
  return fd;
}

}  // namespace

Result<std::vector<UniqueFd>> listen_on(SocketAddress address, std::size_t sockets) {
  std::vector<UniqueFd> all;
  for (std::size_t i = 0; i < sockets; ++i) {
    auto fd = bound_socket(address, i > 0);
    if (!fd) return fd.error();
    if (::listen(fd->get(), kBacklog) != 0) return system_error(errno, "listen on " + address.to_string());
    if (address.port() == 0) address.set_port(SocketAddress::local_of(fd->get()).port());
    all.push_back(std::move(*fd));
  }
  return all;
}

Listener::Listener(Loop& loop, UniqueFd fd, std::function<void(UniqueFd)> taken)
    : loop_(loop),
      fd_(std::move(fd)),
      reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)),
      handle_(new Handle),
      rest_([](void* self) { static_cast<Listener*>(self)->listen(); }, this),
      taken_(std::move(taken)) {
  handle_->owner = this;
  handle_->poll.data = handle_;
  WHERRY_CHECK(uv_poll_init(loop_.uv(), &handle_->poll, fd_.get()) == 0);
  listen();
}

Listener::~Listener() {
  uv_poll_stop(&handle_->poll);
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->poll),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void Listener::listen() {
  uv_poll_start(&handle_->poll, UV_READABLE,
                [](uv_poll_t* poll, int, int) { static_cast<Handle*>(poll->data)->owner->accept_some(); });
}

void Listener::accept_all() {
  for (int taken = 0; taken < kBacklog && accept_some(); taken += kAcceptsATurn) {
  }
}

bool Listener::accept_some() {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    UniqueFd connection(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (connection) {
      const int on = 1;
      ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      taken_(std::move(connection));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      shed();
      return false;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
      return false;  // all else: that connection is gone already, try the next
  }
  return true;
}

void Listener::shed() {
  reserve_.reset();
  const UniqueFd refused(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  log::warn("out of file descriptors: connections are refused; raise the limit (ulimit -n)");
  uv_poll_stop(&handle_->poll);
  rest_.arm(loop_.deadlines(), kRestWhenStarved);
}

}  // namespace wherry
