// The socket under libldap, whose reads and writes end when the time is up. libldap's own time-outs do not cover the
// TLS handshake nor a record of TLS that comes byte by byte.
#pragma once

#include <lber.h>

#include <chrono>
#include <memory>
#include <utility>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"

namespace wherry::master::ldap {

class TimedSocket {
 public:
  /// Under everything that `buffer` stacks on it. Outlives `buffer`.
  static std::unique_ptr<TimedSocket> attach(Sockbuf* buffer, UniqueFd fd);

  /// -1 when libldap has closed it.
  int fd() const { return fd_.get(); }
  void end_at(Monotonic deadline) { deadline_ = deadline; }
  /// Zero when it is over.
  std::chrono::microseconds left() const;
  bool is_over() const { return left().count() == 0; }

 private:
  static const Sockbuf_IO kLayer;

  explicit TimedSocket(UniqueFd fd) : fd_(std::move(fd)) {}

  static TimedSocket& of(Sockbuf_IO_Desc* layer) { return *static_cast<TimedSocket*>(layer->sbiod_pvt); }
  static int set_up(Sockbuf_IO_Desc* layer, void* self);
  static ber_slen_t read(Sockbuf_IO_Desc* layer, void* into, ber_len_t length);
  static ber_slen_t write(Sockbuf_IO_Desc* layer, void* from, ber_len_t length);
  static int close(Sockbuf_IO_Desc* layer);
  /// Waits until it can be read or written; false, with errno, when it cannot before the end.
  bool wait_for(short event);

  UniqueFd fd_;
  Monotonic deadline_{};
};

}  // namespace wherry::master::ldap
