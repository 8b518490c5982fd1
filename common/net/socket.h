// Socket: a connected stream socket on one loop, for coroutines.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/net/poller.h"
#include "common/net/tls_session.h"

namespace wherry {

/// A non-blocking stream socket, plain or with TLS. One operation at a time. Errors of all: kClosed when the other side
/// or close() ended it, kTimeout when nothing moved for `limit`.
class Socket {
 public:
  Socket(Loop& loop, UniqueFd fd) : fd_(std::move(fd)), poller_(loop, fd_.get()) {}

  /// Makes it the server's side of TLS: to be called once, before anything else. Errors beside those of all: kInvalid
  /// when the client does not do as the context asks.
  Task<Result<void>> accept_tls(SSL_CTX* context, std::chrono::milliseconds limit);
  bool has_tls() const { return tls_ != nullptr; }

  /// Reads what is there into `into`, waiting for the first byte; 0 at the end of the stream.
  Task<Result<std::size_t>> read(std::span<char> into, std::chrono::milliseconds limit);
  /// Reads what is there without waiting; 0 when there is nothing yet, kClosed at the end of the stream.
  Result<std::size_t> try_read(std::span<char> into);
  /// Waits until something can be read (or the stream ended).
  auto readable(std::chrono::milliseconds limit) {
    return poller_.wait(Poller::kReadable, limit, tls_ != nullptr && tls_->has_unread());
  }
  /// Waits until something can be written: there is room, or a connection under way is made.
  auto writable(std::chrono::milliseconds limit) { return poller_.wait(Poller::kWritable, limit); }

  /// Writes all pieces, changing them as it goes on. `more` tells the kernel that a body follows at once.
  Task<Result<void>> write(std::span<iovec> pieces, bool more, std::chrono::milliseconds limit);
  /// The part of write() that needs no waiting: true when all went out.
  Result<bool> try_write(std::span<iovec>& pieces, bool more);

  /// Sends at most `bytes` of a file from `offset`, waiting for room if there is none; gives how many. By sendfile(2),
  /// or with TLS that the kernel does not do by way of this thread's memory, TlsSession::kBatchBytes at a time.
  /// kIo with 0 sent means that the file is shorter than promised.
  Task<Result<std::size_t>> send_file(int file, std::uint64_t offset, std::size_t bytes,
                                      std::chrono::milliseconds limit);

  /// While true the kernel sends full segments alone, but for what waits longer than 200 ms (TCP_CORK). sendfile(2)
  /// otherwise ends one at each of its batches of 64 KiB: nearly twice as many segments, a fifth more CPU on loopback.
  void cork(bool on);

  /// The kernel takes no more once so many bytes wait to be sent for the first time (TCP_NOTSENT_LOWAT); 0: as usual.
  void keep_unsent_below(int bytes);

  /// Makes the present operation, and every later one, end with kClosed.
  void close() { poller_.close(); }
  bool closed() const { return poller_.closed(); }
  bool waiting() const { return poller_.waiting(); }
  int fd() const { return fd_.get(); }
  /// Sends what is queued and then says that no more comes (with TLS by its own alert too, if there is room for it).
  void shutdown_write();
  /// Makes the kernel reset the connection when it is dropped: a body that was cut short must not look like an end.
  void reset_on_close();

 private:
  bool encrypts_here() const { return tls_ != nullptr && !tls_->kernel_sends(); }
  Task<Result<std::size_t>> send_encrypted(int file, std::uint64_t offset, std::size_t bytes,
                                           std::chrono::milliseconds limit);

  UniqueFd fd_;
  std::unique_ptr<TlsSession> tls_;
  // The last sendfile(2) did not take all. Going on at once would send the little that the other side has read since
  // then, packet by packet; the kernel calls when a third of the buffer is free.
  bool full_ = false;
  Poller poller_;
};

}  // namespace wherry
