#include "common/http/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "common/async/sleep.h"
#include "common/base/log.h"
#include "common/http/server.h"

namespace wherry::http {
namespace {

constexpr std::size_t kDrainedBodyBytes = 256 * 1024;   // of an unread body, to keep the connection
constexpr std::size_t kLingerBytes = 64 * 1024 * 1024;  // of an unread body, so that the answer arrives
constexpr std::chrono::milliseconds kLingerSilence{2'000};
constexpr std::chrono::seconds kLingerTime{10};
constexpr int kNoAnswer = 499;

}  // namespace

void InputBuffer::consume(std::size_t bytes) {
  begin_ += bytes;
  if (begin_ == end_) begin_ = end_ = 0;
}

std::span<char> InputBuffer::room() {
  if (data_ == nullptr) {
    data_ = std::make_unique_for_overwrite<char[]>(kSmallBytes);
    capacity_ = kSmallBytes;
  }
  if (end_ == capacity_ && begin_ > 0) {
    std::memmove(data_.get(), data_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == capacity_ && capacity_ < kMaxHeadBytes + kSmallBytes) {
    auto larger = std::make_unique_for_overwrite<char[]>(kMaxHeadBytes + kSmallBytes);
    std::memcpy(larger.get(), data_.get(), end_);
    data_ = std::move(larger);
    capacity_ = kMaxHeadBytes + kSmallBytes;
  }
  return {data_.get() + end_, capacity_ - end_};
}

void InputBuffer::release_if_empty() {
  if (!empty()) return;
  data_.reset();
  capacity_ = begin_ = end_ = 0;
}

Connection::Connection(ServerLoop& server, Loop& loop, UniqueFd fd) : server_(server), socket_(loop, std::move(fd)) {}

std::string_view Connection::remote() {
  if (remote_.empty()) remote_ = SocketAddress::peer_of(socket_.fd()).to_string();
  return remote_;
}

std::uint64_t Connection::client() {
  if (client_ == 0) client_ = SocketAddress::peer_of(socket_.fd()).host_id();
  return client_;
}

void Connection::drain() {
  draining_ = true;
  if (idle_ && input_.empty()) socket_.close();
}

/// The handshake, for which there is as much time as for a head. Who speaks plain HTTP instead is told so.
Task<Connection::Next> Connection::begin_tls() {
  constexpr char kHandshake = 0x16;  // the content type of the first record (RFC 8446 5.1)
  const auto limit = server_.limits().head_time;
  char first = 0;
  ssize_t got = ::recv(socket_.fd(), &first, 1, MSG_PEEK);
  if (got < 0) {
    auto ready = co_await socket_.readable(limit);
    if (!ready) co_return Next::kClose;
    got = ::recv(socket_.fd(), &first, 1, MSG_PEEK);
  }
  if (got <= 0) co_return Next::kClose;
  if (first != kHandshake) co_return co_await refuse(Refusal(400, "this port speaks HTTPS: plain HTTP came"));
  idle_ = false;
  const auto context = server_.tls()->context();
  auto accepted = co_await socket_.accept_tls(context.get(), limit);
  if (accepted) co_return Next::kServe;
  if (accepted.error().kind() != ErrorKind::kClosed)
    log::debug("a handshake of TLS failed", {{"client", std::string(remote())}, {"why", accepted.error().message()}});
  co_return Next::kClose;
}

Task<void> Connection::serve() {
  if (server_.tls() != nullptr) {
    const Next next = co_await begin_tls();
    if (next == Next::kClose) co_return;
  }
  while (true) {
    std::size_t head_bytes = 0;
    Next next = co_await await_head(head_bytes);
    if (next == Next::kServe) next = co_await serve_one(head_bytes);
    if (next == Next::kClose) break;
    if (draining_ && input_.empty()) break;
    scanner_.reset();
  }
}

Task<Connection::Next> Connection::await_head(std::size_t& head_bytes) {
  const Limits& limits = server_.limits();
  idle_ = true;
  // A connection's first request is there already, most times; the next one is not, and asking costs a system call.
  bool wait_first = !fresh_ && input_.empty();
  auto deadline = Clock::system().monotonic() + limits.head_time;
  bool began = fresh_ || !input_.empty();
  fresh_ = false;
  while (true) {
    if (!input_.empty()) {
      auto scanned = scanner_.scan(input_.view());
      if (!scanned) co_return co_await refuse(std::move(scanned.error()));
      if (*scanned > 0) {
        head_bytes = *scanned;
        idle_ = false;
        co_return Next::kServe;
      }
    }
    if (!std::exchange(wait_first, false)) {
      auto got = socket_.try_read(input_.room());
      if (!got) co_return Next::kClose;
      if (*got > 0) {
        input_.filled(*got);
        if (!began) deadline = Clock::system().monotonic() + limits.head_time;
        began = true;
        idle_ = false;
        continue;
      }
    }
    input_.release_if_empty();
    idle_ = input_.empty();
    auto wait = limits.idle_time;
    if (began) wait = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::system().monotonic());
    if (wait <= std::chrono::milliseconds(0)) {
      if (idle_) co_return Next::kClose;
      co_return co_await refuse(Refusal(408, "the head of the request did not come in time"));
    }
    auto ready = co_await socket_.readable(wait);
    if (!ready && ready.error().kind() == ErrorKind::kClosed) co_return Next::kClose;
    if (!ready && !began) co_return Next::kClose;
  }
}

Task<Connection::Next> Connection::refuse(Refusal refusal) {
  Request request;
  request.method = "-";
  request.keep_alive = false;
  Exchange exchange(*this, request);
  exchange.keep_alive_ = false;
  exchange.begun_ = Clock::system().monotonic();
  auto response = Response(refusal.status).body("text/plain; charset=utf-8", refusal.reason + "\n");
  auto sent = co_await exchange.send(std::move(response));
  server_.service().finished(exchange, Clock::system().monotonic() - exchange.begun_);
  if (sent) co_await linger();
  co_return Next::kClose;
}

Task<Connection::Next> Connection::serve_one(std::size_t head_bytes) {
  const auto begun = Clock::system().monotonic();
  // The head outlives the buffer that it came in: the body is read through the same one.
  const auto head = std::make_unique_for_overwrite<char[]>(head_bytes);
  std::memcpy(head.get(), input_.view().data(), head_bytes);
  Request request;
  auto parsed = parse_head({head.get(), head_bytes}, request);
  if (!parsed) co_return co_await refuse(std::move(parsed.error()));
  input_.consume(head_bytes);

  Exchange exchange(*this, request);
  exchange.keep_alive_ = request.keep_alive;
  exchange.begun_ = begun;
  const auto trace = request.header("traceparent");
  if (!trace.empty()) exchange.context_.trace = TraceParent::parse(trace);
  exchange.context_.client = client();
  co_await answer_for(exchange.context_);
  Result<void> outcome;
  try {
    outcome = co_await server_.service().handle(exchange);
  } catch (const std::exception& exception) {
    outcome = Error(ErrorKind::kInternal, "{}", exception.what());
  }
  if (outcome && !exchange.responded()) outcome = Error(ErrorKind::kInternal, "a handler sent no response");
  Next next = Next::kClose;
  if (outcome) {
    next = co_await finish(exchange);
  } else if (!exchange.responded()) {
    const bool gone = outcome.error().kind() == ErrorKind::kClosed || outcome.error().kind() == ErrorKind::kCancelled;
    if (!gone) {
      auto sent = co_await exchange.send(server_.service().render(outcome.error()));
      if (sent) next = co_await finish(exchange);
    }
  } else {
    log::debug("a response was broken off",
               {{"path", std::string(request.path)}, {"why", outcome.error().to_string()}});
    if (exchange.cut_ == Exchange::Cut::kNo) exchange.cut_ = Exchange::Cut::kByClient;
    socket_.reset_on_close();
  }
  if (!exchange.responded()) exchange.status_ = kNoAnswer;
  server_.service().finished(exchange, Clock::system().monotonic() - begun);
  co_return next;
}

Task<Connection::Next> Connection::finish(Exchange& exchange) {
  if (!exchange.body_finished()) {
    const bool small = exchange.request().content_length.value_or(0) <= kDrainedBodyBytes;
    const bool asked = !exchange.request().expects_continue || exchange.continue_sent_;
    if (!exchange.keep_alive_ || !small || !asked) {
      co_await linger();
      co_return Next::kClose;
    }
    const auto scratch = std::make_unique_for_overwrite<char[]>(InputBuffer::kSmallBytes);
    for (std::size_t drained = 0; !exchange.body_finished();) {
      auto got = co_await exchange.read_body({scratch.get(), InputBuffer::kSmallBytes});
      if (got) drained += *got;
      if (!got || drained > kDrainedBodyBytes) {
        co_await linger();
        co_return Next::kClose;
      }
    }
  }
  if (!exchange.keep_alive_) {
    socket_.shutdown_write();
    co_return Next::kClose;
  }
  co_return Next::kServe;
}

/// Reads what the client still sends before closing: a close with unread bytes would reset the connection, and the
/// answer that is on its way could be lost (RFC 9112 9.6).
Task<void> Connection::linger() {
  socket_.shutdown_write();
  const auto scratch = std::make_unique_for_overwrite<char[]>(64 * 1024);
  const auto deadline = Clock::system().monotonic() + kLingerTime;
  std::size_t total = 0;
  while (total < kLingerBytes && Clock::system().monotonic() < deadline && !draining_) {
    auto got = co_await socket_.read({scratch.get(), 64 * 1024}, kLingerSilence);
    if (!got || *got == 0) co_return;
    total += *got;
  }
}

}  // namespace wherry::http
