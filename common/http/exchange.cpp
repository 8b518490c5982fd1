#include "common/http/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "common/base/random.h"
#include "common/http/connection.h"
#include "common/http/server.h"

namespace wherry::http {
namespace {

constexpr int kUnsentBytes = 16 * 1024;             // of a part whose end is waited for
constexpr std::uint64_t kCorkedBytes = 128 * 1024;  // below, two more system calls cost more than segments
// What is sent of one body before others have their turn: in a crowd little at first, so that all who ask at once see
// their first bytes soon. It costs a turn of the loop, a tenth of what 1 MiB costs in all.
constexpr std::uint64_t kTurnBytes = 2 * 1024 * 1024;
constexpr std::uint64_t kFirstTurnBytes = 64 * 1024;
constexpr std::size_t kCrowd = 32;

/// One of the bodies that a loop sends.
class Sending {
 public:
  explicit Sending(std::size_t& count) : count_(count) { ++count_; }
  ~Sending() { --count_; }
  Sending(const Sending&) = delete;
  Sending& operator=(const Sending&) = delete;
  std::uint64_t first_turn_bytes() const { return count_ > kCrowd ? kFirstTurnBytes : kTurnBytes; }

 private:
  std::size_t& count_;
};

void append_length(std::string& head, std::uint64_t length) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), length).ptr;
  head.append("Content-Length: ").append(digits, end).append("\r\n");
}

}  // namespace

std::string_view Exchange::remote() const { return connection_.remote(); }

bool Exchange::body_finished() const {
  if (request_.chunked) return decoder_.done();
  return body_read_ >= request_.content_length.value_or(0);
}

Task<Result<std::size_t>> Exchange::read_body(std::span<char> into) {
  if (body_finished()) co_return std::size_t{0};
  Socket& socket = connection_.socket_;
  InputBuffer& input = connection_.input_;
  const Limits& limits = connection_.server_.limits();
  if (request_.expects_continue && !continue_sent_ && body_read_ == 0 && input.empty()) {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    iovec piece{const_cast<char*>(kContinue.data()), kContinue.size()};
    auto sent = co_await socket.write({&piece, 1}, false, limits.send_silence);
    if (!sent) co_return sent.error();
  }
  continue_sent_ = true;
  const std::uint64_t left = request_.content_length.value_or(0) - body_read_;
  while (true) {
    if (!input.empty()) {
      std::size_t produced = 0;
      if (request_.chunked) {
        auto step = decoder_.decode(input.view(), into);
        if (!step) {
          keep_alive_ = false;
          co_return step.error();
        }
        input.consume(step->consumed);
        produced = step->produced;
        if (produced == 0 && decoder_.done()) co_return std::size_t{0};
      } else {
        produced = static_cast<std::size_t>(std::min<std::uint64_t>({input.view().size(), into.size(), left}));
        std::memcpy(into.data(), input.view().data(), produced);
        input.consume(produced);
      }
      if (produced > 0) {
        body_read_ += produced;
        co_return produced;
      }
    }
    // A body of known length is read straight to where it is wanted; a chunked one by way of the buffer.
    auto room = request_.chunked ? input.room()
                                 : into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left)));
    auto got = socket.try_read(room);
    if (got && *got == 0) {
      const auto before = Clock::system().monotonic();
      auto ready = co_await socket.readable(limits.body_silence);
      if (!ready) {
        keep_alive_ = false;
        co_return ready.error();
      }
      body_waited_ += Clock::system().monotonic() - before;
      const auto seconds = std::chrono::duration<double>(body_waited_).count();
      if (body_waited_ > limits.rate_grace &&
          static_cast<double>(body_read_) < seconds * static_cast<double>(limits.body_bytes_per_second)) {
        keep_alive_ = false;
        co_return Error(ErrorKind::kTimeout, "the body comes slower than {} bytes a second",
                        limits.body_bytes_per_second);
      }
      continue;
    }
    if (!got) {
      keep_alive_ = false;
      co_return got.error();
    }
    if (request_.chunked) {
      input.filled(*got);
      continue;
    }
    body_read_ += *got;
    co_return *got;
  }
}

Task<Result<std::string>> Exchange::read_whole_body(std::size_t limit) {
  const auto too_large = [&] { return Error(ErrorKind::kTooLarge, "the body is larger than {} bytes", limit); };
  if (request_.content_length.value_or(0) > limit) co_return too_large();
  std::string body;
  std::size_t filled = 0;
  while (true) {
    const std::size_t want = request_.content_length
                                 ? static_cast<std::size_t>(*request_.content_length)
                                 : std::min(limit + 1, std::max<std::size_t>(filled * 2, 16 * 1024));
    if (body.size() < want) body.resize(want);
    if (filled == body.size() && body_finished()) break;
    auto got = co_await read_body({body.data() + filled, body.size() - filled});
    if (!got) co_return got.error();
    if (*got == 0) break;
    filled += *got;
    if (filled > limit) co_return too_large();
  }
  body.resize(filled);
  co_return body;
}

Task<Result<void>> Exchange::send(Response response) {
  const std::uint64_t length = response.length().value_or(response.body().size());
  co_return co_await send_head(response, length, request_.is_head() ? std::string_view() : response.body(), false);
}

Task<Result<void>> Exchange::send_head(const Response& response, std::optional<std::uint64_t> length,
                                       std::string_view body, bool more) {
  status_ = response.status();
  if (on_answer_) std::exchange(on_answer_, nullptr)(status_);
  if (response.closes() || connection_.draining_) keep_alive_ = false;
  if (!length && request_.http_1_0) keep_alive_ = false;
  if (!body_finished() && request_.expects_continue && !continue_sent_) keep_alive_ = false;
  std::string head;
  head.reserve(160 + response.fields().size());
  head.append(status_line(status_)).append("Date: ").append(http_date()).append("\r\n").append(response.fields());
  if (!length && !request_.http_1_0)
    head.append("Transfer-Encoding: chunked\r\n");
  else if (length && status_ != 204 && status_ != 304)
    append_length(head, *length);
  if (!keep_alive_)
    head.append("Connection: close\r\n");
  else if (request_.http_1_0)
    head.append("Connection: keep-alive\r\n");
  head.append("\r\n");
  iovec pieces[2] = {{head.data(), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  sent_bytes_ += body.size();
  std::span<iovec> left(pieces, body.empty() ? 1 : 2);
  auto done = connection_.socket_.try_write(left, more);
  if (!done) co_return done.error();
  if (!more) first_byte_left();
  if (*done) co_return Result<void>();
  co_return co_await connection_.socket_.write(left, more, connection_.server_.limits().send_silence);
}

Task<Result<void>> Exchange::begin_stream(Response head) {
  streams_ = !request_.is_head();
  co_return co_await send_head(head, std::nullopt, {}, false);
}

Task<Result<void>> Exchange::send_piece(std::string_view piece) {
  if (piece.empty() || !streams_) co_return Result<void>();
  std::array<char, 20> size{};
  std::size_t size_bytes = 0;
  std::string_view end;
  if (!request_.http_1_0) {
    const auto digits = std::to_chars(size.data(), size.data() + 16, piece.size(), 16);
    *digits.ptr = '\r';
    *(digits.ptr + 1) = '\n';
    size_bytes = static_cast<std::size_t>(digits.ptr + 2 - size.data());
    end = "\r\n";
  }
  std::array<iovec, 3> pieces = {iovec{size.data(), size_bytes}, iovec{const_cast<char*>(piece.data()), piece.size()},
                                 iovec{const_cast<char*>(end.data()), end.size()}};
  std::span<iovec> left(pieces);
  if (request_.http_1_0) left = left.subspan(1, 1);
  auto sent = co_await connection_.socket_.write(left, false, connection_.server_.limits().send_silence);
  if (sent) sent_bytes_ += piece.size();
  co_return sent;
}

Task<Result<void>> Exchange::end_stream() {
  if (!std::exchange(streams_, false) || request_.http_1_0) co_return Result<void>();
  static constexpr std::string_view kEnd = "0\r\n\r\n";
  iovec piece{const_cast<char*>(kEnd.data()), kEnd.size()};
  co_return co_await connection_.socket_.write({&piece, 1}, false, connection_.server_.limits().send_silence);
}

Task<Result<void>> Exchange::send_file(Response fields, Body& body, std::string_view media_type, bool whole) {
  Result<std::vector<ByteRange>> ranges = std::vector<ByteRange>();
  if (!whole && request_.method == "GET") ranges = parse_range(request_.joined_header("range"), body.size());
  fields.header("Accept-Ranges", "bytes");
  if (!ranges) {
    Response refused(416);
    refused.header("Content-Range", fmt::format("bytes */{}", body.size()));
    refused.header("Accept-Ranges", "bytes");
    co_return co_await send(std::move(refused));
  }
  if (ranges->size() > 1) co_return co_await send_parts(std::move(fields), body, media_type, *ranges);
  fields.header("Content-Type", media_type);
  ByteRange range{0, body.size()};
  Response head(200);
  if (ranges->size() == 1) {
    range = ranges->front();
    head = Response(206);
    head.header("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last(), body.size()));
  }
  head.append_fields(fields);
  const bool has_body = !request_.is_head() && range.count > 0;
  auto sent = co_await send_head(head, range.count, {}, has_body);
  if (!sent || !has_body) co_return sent;
  co_return co_await send_stretch(body, range);
}

Task<Result<void>> Exchange::send_part(Response fields, Body& body, std::string_view media_type, ByteRange range) {
  connection_.socket_.keep_unsent_below(kUnsentBytes);
  Response head(206);
  head.header("Content-Type", media_type);
  head.header("Content-Range", fmt::format("bytes {}-{}/{}", range.first, range.last(), body.size()));
  head.append_fields(fields);
  auto sent = co_await send_head(head, range.count, {}, true);
  if (sent) sent = co_await send_stretch(body, range);
  connection_.socket_.keep_unsent_below(0);
  co_return sent;
}

Task<Result<void>> Exchange::send_stretch(Body& body, ByteRange range) {
  Socket& socket = connection_.socket_;
  const auto limit = connection_.server_.limits().send_silence;
  const std::uint64_t end = range.first + range.count;
  std::uint64_t at = range.first;
  const Sending sending(connection_.server_.sending());
  std::uint64_t turn_left = sending.first_turn_bytes();
  bool corked = false;
  const auto cork = [&](bool on) {
    if (corked != on) socket.cork(on);
    corked = on;
  };
  while (at < end) {
    const std::uint64_t want = std::min(end - at, kTurnBytes);
    auto ready = body.try_ready(at, want, end);
    if (!ready) {
      cork(false);  // what is there goes out while more is waited for
      auto waited = co_await body.ready(at, want, end);
      ready.emplace(std::move(waited));
    }
    if (!*ready) {
      cut_ = Cut::kBySource;
      co_return ready->error();
    }
    const std::uint64_t stop = at + **ready;
    if (**ready >= kCorkedBytes) cork(true);
    while (at < stop) {
      const auto count = static_cast<std::size_t>(std::min(stop - at, turn_left));
      auto sent = co_await socket.send_file(body.file(), at, count, limit);
      if (!sent) {
        if (sent.error().kind() == ErrorKind::kIo) {
          cut_ = Cut::kBySource;
          co_await body.could_not_be_sent();
        }
        co_return sent.error();
      }
      first_byte_left();
      at += *sent;
      sent_bytes_ += *sent;
      turn_left -= *sent;
      if (turn_left == 0 && at < end) {
        turn_left = kTurnBytes;
        co_await Loop::current().yield();
      }
    }
  }
  cork(false);
  co_return Result<void>();
}

Task<Result<void>> Exchange::send_parts(Response fields, Body& body, std::string_view media_type,
                                        const std::vector<ByteRange>& ranges) {
  const std::string boundary = random_hex(16);
  const std::string last = fmt::format("\r\n--{}--\r\n", boundary);
  std::vector<std::string> preambles;
  std::uint64_t length = last.size();
  for (const ByteRange& range : ranges) {
    preambles.push_back(fmt::format("{}--{}\r\nContent-Type: {}\r\nContent-Range: bytes {}-{}/{}\r\n\r\n",
                                    preambles.empty() ? "" : "\r\n", boundary, media_type, range.first, range.last(),
                                    body.size()));
    length += preambles.back().size() + range.count;
  }
  Response head(206);
  head.header("Content-Type", "multipart/byteranges; boundary=" + boundary);
  head.append_fields(fields);
  auto sent = co_await send_head(head, length, {}, true);
  if (!sent) co_return sent;
  const auto limit = connection_.server_.limits().send_silence;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    iovec piece{preambles[i].data(), preambles[i].size()};
    sent = co_await connection_.socket_.write({&piece, 1}, true, limit);
    if (!sent) co_return sent;
    sent = co_await send_stretch(body, ranges[i]);
    if (!sent) co_return sent;
  }
  iovec piece{const_cast<char*>(last.data()), last.size()};
  co_return co_await connection_.socket_.write({&piece, 1}, false, limit);
}

}  // namespace wherry::http
