// Client: HTTP requests to other servers, from one loop, over libcurl's multi interface.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/event.h"
#include "common/async/task.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/http/request_body.h"

namespace wherry::http {

/// What is asked of another server.
class ClientRequest {
 public:
  ClientRequest(std::string method, std::string url) : method_(std::move(method)), url_(std::move(url)) {}
  ClientRequest& header(std::string_view name, std::string_view value) &;
  /// Fails instead of connecting to an address that is not public (SocketAddress::is_public): what the name resolves
  /// to when it is connected to, whatever it was before. A proxy's address is not looked at.
  ClientRequest& only_public() & {
    only_public_ = true;
    return *this;
  }

  /// The answer may come compressed; its body is read as it was.
  ClientRequest& accept_gzip() & {
    accepts_gzip_ = true;
    return *this;
  }

  const std::string& method() const { return method_; }
  const std::string& url() const { return url_; }
  const std::vector<std::string>& headers() const { return headers_; }
  bool is_only_public() const { return only_public_; }
  bool accepts_gzip() const { return accepts_gzip_; }
  /// Sent with the request (a form); none when empty.
  ClientRequest& body(std::string bytes) & {
    body_ = std::move(bytes);
    return *this;
  }
  const std::string& body() const { return body_; }
  /// Sent with the request as it is read; instead of body().
  ClientRequest& stream(std::shared_ptr<RequestBody> body) & {
    stream_ = std::move(body);
    return *this;
  }
  const std::shared_ptr<RequestBody>& stream() const { return stream_; }

 private:
  std::string method_;
  std::string url_;
  std::vector<std::string> headers_;
  std::string body_;
  std::shared_ptr<RequestBody> stream_;
  bool only_public_ = false;
  bool accepts_gzip_ = false;
};

/// How long a server may take, and how it is trusted.
struct ClientOptions {
  std::chrono::milliseconds connect_time{5'000};
  std::chrono::milliseconds silence{30'000};  ///< Without a byte of what is waited for, a transfer fails with kTimeout.
  /// A body that comes slower, over `silence`, fails with kTimeout too; 0: any. Times in which its reader takes nothing
  /// do not count.
  std::uint64_t least_bytes_per_second = 1024;
  long connections_a_host = 64;  ///< At most, on this loop.
  std::string ca_file;           ///< PEM; empty: the system's.
  std::string proxy;             ///< URL; empty: none, whatever the environment says.
};

class Client;

/// The status and header fields of an answer.
class ClientHead {
 public:
  int status() const { return status_; }
  /// The first value of a field (any case), or empty.
  std::string_view header(std::string_view name) const;
  /// All values of a field, in order.
  std::vector<std::string_view> all(std::string_view name) const;
  bool has_header(std::string_view name) const;
  std::optional<std::uint64_t> content_length() const;
  /// What Retry-After asks for, be it seconds or a date (RFC 9110 10.2.3); nothing when it is not there or in the past.
  std::optional<std::chrono::seconds> retry_after() const;

 private:
  friend class Transfer;
  int status_ = 0;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::size_t bytes_ = 0;
};

/// An answer on its way. Dropping it cancels it. Back-pressure: at most kWindowBuffers are held for a slow reader.
class Transfer {
 public:
  static constexpr std::size_t kWindowBuffers = 4;
  static constexpr std::size_t kMaxHeadBytes = 64 * 1024;

  ~Transfer();
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  const ClientHead& head() const { return head_; }

  /// The next piece of the body, as much as came so far and fits into one buffer; empty at the end. Bytes are copied
  /// once, out of what the socket was read into. Errors: kUpstream (refused, reset, cut short), kTimeout, kCancelled.
  Task<Result<Buffer>> next();
  /// The whole body. Errors: those of next(); kTooLarge over `limit` bytes.
  Task<Result<std::string>> read_whole(std::size_t limit);
  /// Makes a next() that waits, and every later one, end with kCancelled.
  void cancel();

 private:
  friend class Client;
  struct Callbacks;
  explicit Transfer(Client& client) : client_(client) {}
  Task<Result<void>> await_head();
  Task<void> read_more();
  void head_arrived();
  void finished(int curl_code);
  void check_pace(std::uint64_t now_ms);
  void begin_pace();
  void fail(Error why);
  std::size_t room() const;
  void take_in(std::span<const std::byte> bytes);
  void go_on();

  Client& client_;
  void* easy_ = nullptr;         // CURL*
  void* header_list_ = nullptr;  // curl_slist*
  char error_text_[256] = "";
  std::string url_;
  ClientHead head_;
  bool head_done_ = false;
  bool done_ = false;
  bool paused_ = false;
  bool only_public_ = false;
  bool refused_address_ = false;
  int no_socket_ = 0;                  // errno, when this machine gave none for it
  std::uint64_t pace_from_ms_ = 0;     // when the counting of bytes began
  std::uint64_t pace_bytes_ = 0;       // that came since
  std::uint64_t last_byte_at_ms_ = 0;  // on the loop's clock, as above
  std::optional<Error> error_;
  std::array<Buffer, kWindowBuffers> window_;  // a ring: full ones, then one in work
  std::size_t window_first_ = 0;
  std::size_t window_used_ = 0;
  std::size_t window_open_ = 1;  // how much of the window is used: doubles with each read, so that first bytes go early
  std::shared_ptr<RequestBody> upload_;
  Buffer upload_piece_;            // of it, on its way to libcurl
  std::size_t upload_taken_ = 0;   // of that piece
  std::uint64_t upload_read_ = 0;  // of all, in pieces so far
  bool upload_wanted_ = false;     // libcurl waits for the next piece
  Event moved_;
};

/// One loop's client: connections are kept and shared by its transfers. Must outlive them.
class Client {
 public:
  explicit Client(Loop& loop, ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Sends the request, its body too, and waits for the answer's head. A body that streams is read as the server takes
  /// it, and no further once it has answered; its errors are given as they are. Redirects are not followed: they are
  /// answers. Errors: kUpstream when the server cannot be reached or speaks no HTTP, kTimeout; kUnavailable when this
  /// process has no socket left to ask it by. A status of 400 and more is an answer, not an error.
  Task<Result<std::unique_ptr<Transfer>>> open(ClientRequest request);

  /// Ends all transfers, those too that still wait for their head, and every later open(), with kCancelled.
  void cancel_all();

 private:
  friend class Transfer;
  struct Machinery;
  std::unique_ptr<Machinery> machinery_;
};

}  // namespace wherry::http
