#include "common/observe/access_log.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <random>

#include "common/base/byte_scan.h"
#include "common/base/log.h"
#include "common/base/thread_number.h"
#include "common/observe/metrics.h"

namespace wherry {
namespace {

bool is_escaped(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\';
}

/// How many bytes from the front stand in a JSON string as they are.
std::size_t plain_front(std::string_view text) {
  const auto which = [](SomeBytes bytes) {
    return bytes.below(0x20) | bytes.at_least(0x7f) | bytes.equal_to('"') | bytes.equal_to('\\');
  };
  return std::min(find_byte(text, which, is_escaped), text.size());
}

/// Where in a lane a line goes; its caller made sure of kMaxLineBytes.
class Line {
 public:
  Line(char* at, AccessLog::Form form) : begin_(at), at_(at), json_(form == AccessLog::Form::kJson) {}

  std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

  void raw(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  /// Begins a field; `name` has both forms: `,"name":` and ` name=`.
  void field(std::string_view json, std::string_view text) { raw(json_ ? json : text); }

  void number(std::uint64_t value) { at_ = std::to_chars(at_, at_ + 20, value).ptr; }
  /// Milliseconds with three decimals.
  void millis(Duration took) {
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count())) / 1000;
    number(micros / 1000);
    const auto rest = micros % 1000;
    *at_++ = '.';
    *at_++ = static_cast<char>('0' + rest / 100);
    *at_++ = static_cast<char>('0' + rest / 10 % 10);
    *at_++ = static_cast<char>('0' + rest % 10);
  }
  /// In quotes: a JSON string of ASCII alone, whatever came in. Cut at `most` bytes.
  void quoted(std::string_view text, std::size_t most) {
    text = text.substr(0, most);
    *at_++ = '"';
    const std::size_t plain = plain_front(text);
    raw(text.substr(0, plain));
    for (const char c : text.substr(plain)) {
      const auto byte = static_cast<unsigned char>(c);
      if (!is_escaped(c)) {
        *at_++ = c;
      } else {
        static constexpr char kHex[] = "0123456789abcdef";
        raw("\\u00");
        *at_++ = kHex[byte >> 4];
        *at_++ = kHex[byte & 15];
      }
    }
    *at_++ = '"';
  }
  void hex(std::uint32_t value) {
    static constexpr char kHex[] = "0123456789abcdef";
    for (int shift = 28; shift >= 0; shift -= 4) *at_++ = kHex[value >> shift & 15];
  }
  /// The time of day, whose text up to the second is made once a second a thread.
  void now() {
    thread_local std::int64_t second = -1;
    thread_local std::string text;
    timespec wall{};  // the kernel's last tick: a few ms old at most, and a tenth of the price
    ::clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    if (wall.tv_sec != second) {
      second = wall.tv_sec;
      text = to_rfc3339(from_millis(second * 1000));
      text.resize(text.size() - 4);
    }
    raw(text);
    const auto rest = wall.tv_nsec / 1'000'000;
    *at_++ = static_cast<char>('0' + rest / 100);
    *at_++ = static_cast<char>('0' + rest / 10 % 10);
    *at_++ = static_cast<char>('0' + rest % 10);
    *at_++ = 'Z';
  }

 private:
  char* begin_;
  char* at_;
  const bool json_;
};

bool is_plain_id(std::string_view id) {
  return !id.empty() && id.size() <= AccessLog::kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.' || c == ':' || c == '/' || c == '+' || c == '=';
  });
}

constexpr std::size_t kMaxMethodBytes = 16;
constexpr std::size_t kMaxRemoteBytes = 64;
constexpr std::size_t kEscapedBytes = 6;  // a byte at most
constexpr std::size_t kRestBytes = 512;   // names of fields, time, numbers
static_assert((AccessLog::kMaxPathBytes + AccessLog::kMaxAgentBytes + kMaxMethodBytes + kMaxRemoteBytes) *
                          kEscapedBytes +
                      AccessLog::kMaxIdBytes + kRestBytes <=
                  AccessLog::kMaxLineBytes,
              "the longest line fits");

}  // namespace

AccessLog::AccessLog(int fd, Form form)
    : fd_(fd),
      form_(form),
      process_(std::random_device{}()),
      spare_(std::make_unique_for_overwrite<char[]>(kLaneBytes)) {
  for (Lane& lane : lanes_) lane.bytes = std::make_unique_for_overwrite<char[]>(kLaneBytes);
  writer_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  writer_.join();
}

void AccessLog::write(const AccessEntry& entry) {
  thread_local std::uint32_t made = 0;
  const std::size_t number = thread_number() % kLanes;
  Lane& lane = lanes_[number];
  std::size_t used = 0;
  {
    const std::lock_guard lock(lane.mutex);
    if (kLaneBytes - lane.used < kMaxLineBytes) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    Line line(lane.bytes.get() + lane.used, form_);
    line.field(R"({"time":")", "");
    line.now();
    line.field(R"(","level":"info","message":"request","request_id":")", " info  request request_id=");
    if (is_plain_id(entry.request_id)) {
      line.raw(entry.request_id);
    } else {
      line.hex(process_ ^ static_cast<std::uint32_t>(number << 28));
      line.hex(++made);
    }
    line.field(R"(","method":)", " method=");
    line.quoted(entry.method, kMaxMethodBytes);
    line.field(R"(,"path":)", " path=");
    line.quoted(entry.path, kMaxPathBytes);
    line.field(R"(,"status":)", " status=");
    line.number(static_cast<std::uint64_t>(std::max(0, entry.status)));
    line.field(R"(,"bytes":)", " bytes=");
    line.number(entry.bytes);
    line.field(R"(,"source":")", " source=");
    line.raw(name_of(entry.source));
    line.field("\"", "");
    if (entry.cut != http::Exchange::Cut::kNo) {
      line.field(R"(,"cut":")", " cut=");
      line.raw(entry.cut == http::Exchange::Cut::kByClient ? "client" : "source");
      line.field("\"", "");
    }
    if (entry.first_byte) {
      line.field(R"(,"ttfb_ms":)", " ttfb_ms=");
      line.millis(*entry.first_byte);
    }
    line.field(R"(,"took_ms":)", " took_ms=");
    line.millis(entry.took);
    line.field(R"(,"remote":)", " remote=");
    line.quoted(entry.remote, kMaxRemoteBytes);
    line.field(R"(,"user_agent":)", " user_agent=");
    line.quoted(entry.user_agent, kMaxAgentBytes);
    if (!entry.trace_id.empty()) {
      line.field(R"(,"trace_id":")", " trace_id=");
      line.raw(entry.trace_id);
      line.field("\"", "");
    }
    line.field("}\n", "\n");
    lane.used += line.size();
    used = lane.used;
  }
  const bool half_full = used >= kLaneBytes / 2 && used < kLaneBytes / 2 + kMaxLineBytes;
  if (!half_full && (awake_.load(std::memory_order_relaxed) || awake_.exchange(true))) return;
  {
    const std::lock_guard lock(mutex_);
    lines_ = true;
  }
  wake_.notify_one();
}

void AccessLog::run() {
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "access-log");
  while (true) {
    bool last = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return lines_ || stopping_; });
      lines_ = false;
      // More will come: few large writes cost less than many small ones. Who fills half a lane meanwhile wakes us.
      wake_.wait_for(lock, kGatherTime, [this] { return lines_ || stopping_; });
      lines_ = false;
      last = stopping_;
    }
    awake_.store(false);  // before the lanes are looked at: a line after that wakes us again
    while (write_lanes() && last) {
    }
    if (last) return;
  }
}

/// True when there was anything.
bool AccessLog::write_lanes() {
  bool any = false;
  for (Lane& lane : lanes_) {
    std::size_t used = 0;
    {
      const std::lock_guard lock(lane.mutex);
      used = std::exchange(lane.used, 0);
      if (used > 0) lane.bytes.swap(spare_);
    }
    if (used == 0) continue;
    any = true;
    write_out({spare_.get(), used});
  }
  const std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
  if (dropped > dropped_told_)
    log::warn("lines of the access log found no room", {{"lines", std::to_string(dropped - dropped_told_)}});
  dropped_told_ = dropped;
  return any;
}

void AccessLog::write_out(std::string_view lines) const {
  // The log's own lines go through the same lock: neither cuts into the other's.
  const bool shared = fd_ == STDERR_FILENO;
  if (shared) ::flockfile(stderr);
  while (!lines.empty()) {
    const ssize_t wrote = ::write(fd_, lines.data(), lines.size());
    if (wrote > 0) {
      lines.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (wrote < 0 && errno == EAGAIN) {
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
    } else if (wrote >= 0 || errno != EINTR) {
      break;  // nobody can read it any more
    }
  }
  if (shared) ::funlockfile(stderr);
}

void LoggedService::finished(const http::Exchange& exchange, Duration took) {
  service_.finished(exchange, took);
  const http::Request& request = exchange.request();
  AccessEntry entry;
  entry.request_id = request.header("x-request-id");
  entry.method = request.method;
  entry.path = request.path;
  entry.remote = exchange.remote();
  entry.user_agent = request.header("user-agent");
  entry.trace_id = exchange.context().trace.trace_id();
  entry.status = exchange.status();
  entry.bytes = exchange.sent_bytes();
  entry.source = exchange.context().source;
  entry.cut = exchange.cut();
  entry.first_byte = exchange.first_byte_time();
  entry.took = took;
  log_.write(entry);
}

}  // namespace wherry
