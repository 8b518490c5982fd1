#include "bench/followers/light_follower.h"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

#include "common/base/bytes.h"

namespace wherry::bench {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;

Error wrong(std::string_view what) { return Error(ErrorKind::kUpstream, "{}", what); }

}  // namespace

Result<LightFollower> LightFollower::connect(const std::string& host_port, std::uint64_t from, bool blocking) {
  const auto address = SocketAddress::parse(host_port);
  if (!address) return address.error();
  auto fd = connect_to(*address, true);
  if (!fd) return fd.error();
  const std::string request = fmt::format("GET /wherry/v1/feed?from={} HTTP/1.1\r\nHost: {}\r\n\r\n", from, host_port);
  if (::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return system_error(errno, "send");
  return LightFollower(std::move(*fd), blocking);
}

Result<void> LightFollower::drain(const OnRecord& on_record) {
  static thread_local std::string buffer(kBufferBytes, '\0');
  while (true) {
    const ssize_t got = ::recv(fd_.get(), buffer.data(), buffer.size(), blocking_ ? 0 : MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    if (got < 0) return system_error(errno, "recv");
    if (got == 0) return wrong("the stream ended");
    bytes_ += static_cast<std::uint64_t>(got);
    auto taken = take(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)), on_record);
    if (!taken || blocking_ || static_cast<std::size_t>(got) < buffer.size()) return taken;
  }
}

Result<void> LightFollower::take(std::string_view piece, const OnRecord& on_record) {
  if (!has_head_) {
    const std::size_t before = head_.size();
    head_ += piece;
    const auto end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    if (!head_.starts_with("HTTP/1.1 200")) return wrong(head_);
    piece.remove_prefix(end + 4 - before);
    has_head_ = true;
  }
  if (!unchunk(piece)) return wrong("the stream is not chunked");
  reader_.feed(payload_);
  payload_.clear();
  while (true) {
    const auto record = reader_.next();
    if (!record) return record.error();
    if (!*record) return {};
    std::string_view payload = (*record)->payload;
    if ((*record)->kind != feed::RecordKind::kEntry && (*record)->kind != feed::RecordKind::kHead) continue;
    // An entry begins with version, kind and position; a head with epoch and position.
    const bool is_entry = (*record)->kind == feed::RecordKind::kEntry;
    const auto kind = is_entry ? static_cast<std::uint8_t>(payload[1]) : std::uint8_t{0};
    payload.remove_prefix(is_entry ? 2 : 8);
    on_record(take_be64(payload).value_or(0), kind);
  }
}

bool LightFollower::unchunk(std::string_view piece) {
  while (!piece.empty()) {
    if (left_ > 2) {
      const std::string_view part = piece.substr(0, left_ - 2);
      payload_ += part;
      left_ -= part.size();
      piece.remove_prefix(part.size());
    } else if (left_ > 0) {  // the CRLF behind a chunk
      --left_;
      piece.remove_prefix(1);
    } else {
      line_.push_back(piece.front());
      piece.remove_prefix(1);
      if (!line_.ends_with("\r\n")) continue;
      const auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16);
      if (error != std::errc()) return false;
      left_ += 2;
      line_.clear();
    }
  }
  return true;
}

}  // namespace wherry::bench
