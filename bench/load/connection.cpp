#include "bench/load/connection.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "common/base/bytes.h"
#include "common/http/request.h"

namespace wherry::bench {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
// What comes with a head has to be copied: little enough that it does not count.
constexpr std::size_t kHeadReadBytes = 4096;

Error wrong(std::string_view what) { return Error(ErrorKind::kUpstream, "{}", what); }

/// The value of a field in a head whose lines end in CRLF; empty when it is not there.
std::string_view field(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    auto line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    if (!http::equal_ignoring_case(line.substr(0, name.size()), name)) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    return line;
  }
  return {};
}

/// Path and query of a Location that may be absolute.
std::string path_of(std::string_view location) {
  const auto scheme = location.find("://");
  if (scheme == std::string_view::npos) return std::string(location);
  return std::string(location.substr(std::min(location.find('/', scheme + 3), location.size())));
}

std::optional<std::uint64_t> chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size, 16);
  if (error != std::errc() || (end != line.data() + line.size() && *end != ';')) return std::nullopt;
  return size;
}

}  // namespace

Task<Result<Answer>> Connection::ask(const Request& request) {
  if (!stream_) {
    auto stream = co_await Stream::connect(target_);
    if (!stream) co_return stream.error();
    stream_ = std::move(*stream);
    begin_ = end_ = 0;
  }
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", request.method, request.target, target_.host,
                                 request.headers);
  std::vector<iovec> pieces{{head.data(), head.size()}};
  pieces.insert(pieces.end(), request.body.begin(), request.body.end());
  const Monotonic begun = Clock::system().monotonic();
  auto sent = co_await stream_->write(pieces);
  if (!sent) {
    stream_.reset();
    co_return sent.error();
  }
  auto answer = co_await receive(request, begun);
  if (!answer) stream_.reset();
  co_return answer;
}

Task<Result<Answer>> Connection::receive(const Request& request, Monotonic begun) {
  auto head = co_await read_until("\r\n\r\n");
  if (!head) co_return head.error();
  Answer answer;
  answer.first_byte = Clock::system().monotonic() - begun;
  answer.status =
      static_cast<int>(parse_decimal(head->substr(std::min<std::size_t>(9, head->size()), 3), 999).value_or(0));
  answer.location = path_of(field(*head, "location"));
  const bool closes = http::equal_ignoring_case(field(*head, "connection"), "close");
  const bool chunked = http::equal_ignoring_case(field(*head, "transfer-encoding"), "chunked");
  const auto length = parse_decimal(field(*head, "content-length"), INT64_MAX);
  const bool has_body = request.method != "HEAD" && answer.status != 204 && answer.status != 304;
  if (has_body && !chunked && !length) co_return wrong("an answer of unknown length");
  if (has_body && (chunked || *length > 0)) {
    if (begin_ == end_) {
      auto more = co_await fill();
      if (!more) co_return more.error();
      answer.first_byte = Clock::system().monotonic() - begun;
    }
    if (chunked) {
      auto bytes = co_await take_chunks(request);
      if (!bytes) co_return bytes.error();
      answer.body_bytes = *bytes;
    } else {
      auto taken = co_await take_body(request, *length);
      if (!taken) co_return taken.error();
      answer.body_bytes = *length;
    }
  }
  if (begin_ != end_) co_return wrong("more bytes than the answer has");
  if (closes) stream_.reset();
  co_return answer;
}

Task<Result<void>> Connection::fill() {
  buffer_.resize(kBufferBytes);
  if (begin_ > 0) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) co_return wrong("an endless head");
  const std::size_t room = std::min(kHeadReadBytes, buffer_.size() - end_);
  auto got = co_await stream_->read(std::span(buffer_).subspan(end_, room));
  if (!got) co_return got.error();
  if (*got == 0) co_return wrong("the connection ended before the answer");
  end_ += *got;
  co_return Result<void>();
}

Task<Result<std::string_view>> Connection::read_until(std::string_view end) {
  while (true) {
    const std::string_view here = std::string_view(buffer_).substr(begin_, end_ - begin_);
    const auto found = here.find(end);
    if (found != std::string_view::npos) {
      begin_ += found + end.size();
      co_return here.substr(0, found);
    }
    auto more = co_await fill();
    if (!more) co_return more.error();
  }
}

Task<Result<void>> Connection::take_body(const Request& request, std::uint64_t bytes) {
  const auto early = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, end_ - begin_));
  const bool wanted = request.hasher != nullptr || request.text != nullptr;
  const auto take = [&](std::string_view piece) {
    if (request.hasher != nullptr) request.hasher->update(piece);
    if (request.text != nullptr && request.text->size() + piece.size() <= kMaxTextBytes) request.text->append(piece);
  };
  take(std::string_view(buffer_).substr(begin_, early));
  begin_ += early;
  bytes -= early;
  if (bytes == 0) co_return Result<void>();
  begin_ = end_ = 0;
  if (!wanted) {
    auto dropped = co_await stream_->drop(bytes);
    co_return dropped;
  }
  while (bytes > 0) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_.size()));
    auto got = co_await stream_->read(std::span(buffer_).first(want));
    if (!got) co_return got.error();
    if (*got == 0) co_return wrong("a body that ends short");
    take(std::string_view(buffer_).substr(0, *got));
    bytes -= *got;
  }
  co_return Result<void>();
}

Task<Result<std::uint64_t>> Connection::take_chunks(const Request& request) {
  std::uint64_t total = 0;
  while (true) {
    auto line = co_await read_until("\r\n");
    if (!line) co_return line.error();
    const auto size = chunk_size(*line);
    if (!size) co_return wrong("a chunk without a size");
    if (*size > 0) {
      auto taken = co_await take_body(request, *size);
      if (!taken) co_return taken.error();
      total += *size;
    }
    auto end = co_await read_until("\r\n");
    if (!end) co_return end.error();
    if (!end->empty()) co_return wrong("a chunk that does not end where it should");
    if (*size == 0) co_return total;
  }
}

}  // namespace wherry::bench
