// Exchange: one request and its response, as a handler sees them.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/async/request_context.h"
#include "common/async/task.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/http/body.h"
#include "common/http/chunked.h"
#include "common/http/range.h"
#include "common/http/request.h"
#include "common/http/response.h"

namespace wherry::http {

class Connection;

/// One request on its connection. The handler reads the body if it wants it and sends one response; an Error that it
/// gives back instead is sent in the server's error form, or, when a response is on its way already, breaks the
/// connection: a body that goes wrong never ends well.
class Exchange {
 public:
  Exchange(Connection& connection, const Request& request) : connection_(connection), request_(request) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request& request() const { return request_; }

  /// Reads some of the body into `into` (waiting for the first byte); 0 at its end. Asks for it with 100 Continue when
  /// the client waits for that. Errors: kInvalid, kClosed (cut short), kTimeout (too slow).
  Task<Result<std::size_t>> read_body(std::span<char> into);
  /// The whole body. Errors: those of read_body(); kTooLarge over `limit` bytes.
  Task<Result<std::string>> read_whole_body(std::size_t limit);

  /// Sends a response with its body in memory.
  Task<Result<void>> send(Response response);
  /// Sends 200 with the whole of `body`, 206 with the ranges of it that were asked for (several as
  /// multipart/byteranges, a part each, in the order asked), or 416. `media_type` is the Content-Type of the bytes;
  /// `fields` has the rest; `whole` ignores what ranges were asked for (an If-Range that does not match).
  Task<Result<void>> send_file(Response fields, Body& body, std::string_view media_type, bool whole = false);

  /// Sends 206 with that part of `body`, whatever was asked for, and returns when nearly all of it has left this
  /// machine rather than when the kernel has taken it: who sends to many over one link can give them turns.
  Task<Result<void>> send_part(Response fields, Body& body, std::string_view media_type, ByteRange range);

  /// Begins a response whose length nobody knows yet (chunked; to HTTP/1.0 until the connection closes); pieces follow,
  /// each of them sent before send_piece() returns, and then the end. Errors: kClosed, kTimeout when the client takes
  /// nothing for the time of Limits::send_silence.
  Task<Result<void>> begin_stream(Response head);
  Task<Result<void>> send_piece(std::string_view piece);
  Task<Result<void>> end_stream();

  /// Calls `told` with the status of the response just before its head is sent: for what has to come before whatever
  /// the client does next. Once; null: nobody any more.
  void on_answer(std::function<void(int status)> told) { on_answer_ = std::move(told); }

  /// Who ended an answer before its end: the client, or what its bytes came from.
  enum class Cut : std::uint8_t { kNo, kByClient, kBySource };
  Cut cut() const { return cut_; }
  bool responded() const { return status_ != 0; }
  /// Of the response that was sent; 0 before.
  int status() const { return status_; }
  std::uint64_t sent_bytes() const { return sent_bytes_; }
  /// From the request's head to the first byte of the answer (of its body, where it has one from files).
  std::optional<Duration> first_byte_time() const {
    if (first_byte_ == Monotonic{}) return std::nullopt;
    return first_byte_ - begun_;
  }
  /// The client's address and port. Valid as long as its connection.
  std::string_view remote() const;
  /// What goes with this request through the tasks that answer it.
  RequestContext& context() { return context_; }
  const RequestContext& context() const { return context_; }
  /// What kind of request this is, in the service's own terms, for its metrics.
  void set_label(std::uint8_t label) { label_ = label; }
  std::uint8_t label() const { return label_; }

 private:
  friend class Connection;
  Task<Result<void>> send_head(const Response& response, std::optional<std::uint64_t> length, std::string_view body,
                               bool more);
  Task<Result<void>> send_stretch(Body& body, ByteRange range);
  Task<Result<void>> send_parts(Response fields, Body& body, std::string_view media_type,
                                const std::vector<ByteRange>& ranges);
  /// True when the request's body has been read to its end.
  bool body_finished() const;
  void first_byte_left() {
    if (first_byte_ == Monotonic{}) first_byte_ = Clock::system().monotonic();
  }

  Connection& connection_;
  const Request& request_;
  ChunkedDecoder decoder_;
  std::uint64_t body_read_ = 0;
  std::chrono::nanoseconds body_waited_{0};
  bool continue_sent_ = false;
  bool keep_alive_ = true;
  bool streams_ = false;  // a body without a length is on its way
  std::uint8_t label_ = 0;
  Cut cut_ = Cut::kNo;
  int status_ = 0;
  std::uint64_t sent_bytes_ = 0;
  Monotonic begun_{};
  Monotonic first_byte_{};
  RequestContext context_;
  std::function<void(int)> on_answer_;
};

}  // namespace wherry::http
