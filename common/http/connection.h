// Connection: one client's connection on one loop, request after request.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/async/loop.h"
#include "common/async/task.h"
#include "common/http/exchange.h"
#include "common/http/head.h"
#include "common/net/socket.h"

namespace wherry::http {

class ServerLoop;

/// Bytes that were read and not used yet. Has memory only while it holds some: an idle connection costs none.
class InputBuffer {
 public:
  static constexpr std::size_t kSmallBytes = 8 * 1024;
  std::string_view view() const { return {data_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t bytes);
  /// Room to read into; grows once to what the largest head needs.
  std::span<char> room();
  void filled(std::size_t bytes) { end_ += bytes; }
  bool empty() const { return begin_ == end_; }
  /// Gives its memory back when nothing is in it.
  void release_if_empty();

 private:
  std::unique_ptr<char[]> data_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Reads heads, calls the handler, keeps alive or closes.
class Connection {
 public:
  Connection(ServerLoop& server, Loop& loop, UniqueFd fd);

  /// Serves until the connection ends.
  Task<void> serve();
  /// Makes serve() end: at once when it waits for a request, after the present response otherwise.
  void drain();
  /// Makes serve() end now.
  void close() { socket_.close(); }
  /// The client's address; asked of the kernel once.
  std::string_view remote();
  /// As RequestContext has it.
  std::uint64_t client();

 private:
  friend class Exchange;
  enum class Next { kServe, kClose };

  Task<Next> begin_tls();
  Task<Next> await_head(std::size_t& head_bytes);
  Task<Next> serve_one(std::size_t head_bytes);
  Task<Next> refuse(Refusal refusal);
  Task<Next> finish(Exchange& exchange);
  Task<void> linger();

  ServerLoop& server_;
  Socket socket_;
  InputBuffer input_;
  HeadScanner scanner_;
  std::string remote_;
  std::uint64_t client_ = 0;
  bool idle_ = true;
  bool draining_ = false;
  bool fresh_ = true;
};

}  // namespace wherry::http
