#include "common/http/client.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <span>
#include <system_error>
#include <unordered_set>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "common/http/request.h"
#include "common/net/address.h"

namespace wherry::http {
namespace {

/// What libcurl reads from a socket at a time; it gives no more than that at once. Small enough for the second-level
/// cache, where the copy out of it finds it.
constexpr std::size_t kReceiveBytes = std::size_t{128} << 10;
constexpr std::size_t kSendBytes = std::size_t{128} << 10;

/// Whether a socket could not be made for want of something of this machine's.
bool is_ours(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

/// Why none can be made now; 0 when one can.
int why_no_socket() {
  const UniqueFd one(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return one || !is_ours(errno) ? 0 : errno;
}

/// How often is looked whether transfers are too slow.
constexpr std::chrono::milliseconds kPaceEvery{250};

}  // namespace

ClientRequest& ClientRequest::header(std::string_view name, std::string_view value) & {
  std::string line = std::string(name) + ": ";
  for (const char c : value) line.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c);
  headers_.push_back(std::move(line));
  return *this;
}

std::string_view ClientHead::header(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (equal_ignoring_case(field, name)) return value;
  return {};
}

std::vector<std::string_view> ClientHead::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [field, value] : fields_)
    if (equal_ignoring_case(field, name)) values.push_back(value);
  return values;
}

bool ClientHead::has_header(std::string_view name) const {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const auto& field) { return equal_ignoring_case(field.first, name); });
}

std::optional<std::uint64_t> ClientHead::content_length() const {
  return parse_decimal(header("content-length"), INT64_MAX);
}

std::optional<std::chrono::seconds> ClientHead::retry_after() const {
  const auto text = header("retry-after");
  if (const auto number = parse_decimal(text, INT32_MAX)) return std::chrono::seconds(*number);
  const std::time_t date = text.empty() ? -1 : ::curl_getdate(std::string(text).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  const auto wait = std::chrono::system_clock::from_time_t(date) - std::chrono::system_clock::now();
  if (wait <= wait.zero()) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(wait);
}

/// libcurl's multi handle on the loop: it tells which sockets and which time to watch, and is told what happened.
struct Client::Machinery {
  struct Watch {
    uv_poll_t poll{};
    Machinery* owner = nullptr;
    curl_socket_t socket = 0;
  };

  Loop& loop;
  ClientOptions options;
  CURLM* multi = nullptr;
  std::unordered_set<Transfer*> transfers;
  bool cancelled = false;
  uv_timer_t* timer = nullptr;
  uv_timer_t* pace = nullptr;  // runs while there are transfers

  Machinery(Loop& on, ClientOptions with) : loop(on), options(std::move(with)) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    multi = curl_multi_init();
    WHERRY_CHECK(multi != nullptr);
    timer = new uv_timer_t;
    uv_timer_init(loop.uv(), timer);
    timer->data = this;
    pace = new uv_timer_t;
    uv_timer_init(loop.uv(), pace);
    pace->data = this;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Machinery::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Machinery::on_timer_wanted);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, options.connections_a_host);
  }

  ~Machinery() {
    curl_multi_cleanup(multi);
    for (uv_timer_t* each : {timer, pace}) {
      uv_timer_stop(each);
      uv_close(reinterpret_cast<uv_handle_t*>(each),
               [](uv_handle_t* handle) { delete reinterpret_cast<uv_timer_t*>(handle); });
    }
  }

  void check_pace() {
    if (transfers.empty()) uv_timer_stop(pace);
    for (Transfer* transfer : transfers) transfer->check_pace(uv_now(loop.uv()));
  }

  static int on_timer_wanted(CURLM*, long timeout_ms, void* self) {
    auto* machinery = static_cast<Machinery*>(self);
    if (timeout_ms < 0) {
      uv_timer_stop(machinery->timer);
      return 0;
    }
    uv_timer_start(
        machinery->timer,
        [](uv_timer_t* handle) { static_cast<Machinery*>(handle->data)->act(CURL_SOCKET_TIMEOUT, 0); },
        static_cast<std::uint64_t>(timeout_ms), 0);
    return 0;
  }

  static int on_socket(CURL*, curl_socket_t socket, int what, void* self, void* watch_data) {
    auto* machinery = static_cast<Machinery*>(self);
    auto* watch = static_cast<Watch*>(watch_data);
    if (what == CURL_POLL_REMOVE) {
      if (watch == nullptr) return 0;
      uv_poll_stop(&watch->poll);
      uv_close(reinterpret_cast<uv_handle_t*>(&watch->poll),
               [](uv_handle_t* handle) { delete static_cast<Watch*>(handle->data); });
      curl_multi_assign(machinery->multi, socket, nullptr);
      return 0;
    }
    if (watch == nullptr) {
      watch = new Watch;
      watch->owner = machinery;
      watch->socket = socket;
      watch->poll.data = watch;
      WHERRY_CHECK(uv_poll_init_socket(machinery->loop.uv(), &watch->poll, socket) == 0);
      curl_multi_assign(machinery->multi, socket, watch);
    }
    int events = 0;
    if (what != CURL_POLL_OUT) events |= UV_READABLE;
    if (what != CURL_POLL_IN) events |= UV_WRITABLE;
    uv_poll_start(&watch->poll, events, [](uv_poll_t* poll, int status, int happened) {
      auto* self_watch = static_cast<Watch*>(poll->data);
      int flags = status < 0 ? CURL_CSELECT_ERR : 0;
      if ((happened & UV_READABLE) != 0) flags |= CURL_CSELECT_IN;
      if ((happened & UV_WRITABLE) != 0) flags |= CURL_CSELECT_OUT;
      self_watch->owner->act(self_watch->socket, flags);
    });
    return 0;
  }

  void act(curl_socket_t socket, int flags) {
    int running = 0;
    curl_multi_socket_action(multi, socket, flags, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      void* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      static_cast<Transfer*>(transfer)->finished(message->data.result);
    }
  }
};

struct Transfer::Callbacks {
  /// Called with the address that a connection is to go to.
  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto* transfer = static_cast<Transfer*>(self);
    SocketAddress to;
    to.length = std::min<socklen_t>(address->addrlen, sizeof to.storage);
    std::memcpy(&to.storage, &address->addr, to.length);
    if (transfer->only_public_ && !to.is_public()) {
      transfer->refused_address_ = true;
      return CURL_SOCKET_BAD;
    }
    const int opened = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    transfer->no_socket_ = opened < 0 && is_ours(errno) ? errno : 0;
    return opened;
  }

  static std::size_t header(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    std::string_view line(data, size * count);
    ClientHead& head = transfer->head_;
    if (line.starts_with("HTTP/")) {  // a new answer: the one before was interim or a redirect
      head.fields_.clear();
      head.bytes_ = 0;
    }
    head.bytes_ += line.size();
    if (head.bytes_ > kMaxHeadBytes) return 0;
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.remove_suffix(1);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return size * count;
    auto value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    head.fields_.emplace_back(line.substr(0, colon), value);
    return size * count;
  }

  static std::size_t body(char* data, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    transfer->head_arrived();
    const std::size_t bytes = size * count;
    if (transfer->room() < bytes) {
      transfer->paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    transfer->pace_bytes_ += bytes;
    transfer->last_byte_at_ms_ = uv_now(transfer->client_.machinery_->loop.uv());
    transfer->take_in(std::as_bytes(std::span(data, bytes)));
    transfer->moved_.wake_all();
    return bytes;
  }

  /// Called when there is room to send: takes from the piece that was read, or stops until there is one.
  static std::size_t upload(char* into, std::size_t size, std::size_t count, void* self) {
    auto* transfer = static_cast<Transfer*>(self);
    const auto left = transfer->upload_piece_.bytes().subspan(transfer->upload_taken_);
    if (left.empty()) {
      if (transfer->upload_read_ == transfer->upload_->size()) return 0;
      transfer->upload_wanted_ = true;
      transfer->moved_.wake_all();
      return CURL_READFUNC_PAUSE;
    }
    const std::size_t bytes = std::min(left.size(), size * count);
    std::memcpy(into, left.data(), bytes);
    transfer->upload_taken_ += bytes;
    transfer->last_byte_at_ms_ = uv_now(transfer->client_.machinery_->loop.uv());
    return bytes;
  }
};

void Transfer::head_arrived() {
  if (head_done_) return;
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  head_.status_ = static_cast<int>(status);
  head_done_ = true;
  begin_pace();
  moved_.wake_all();
}

void Transfer::finished(int curl_code) {
  if (done_) return;
  if (curl_code == CURLE_OK) {
    done_ = true;
    head_arrived();
    moved_.wake_all();
    return;
  }
  if (refused_address_)
    return fail(
        Error(ErrorKind::kDenied, "{}: leads to an address that is not public, which is not allowed here", url_));
  // The resolver opens files of its own, and does not say that it could not.
  if (curl_code == CURLE_COULDNT_RESOLVE_HOST || curl_code == CURLE_COULDNT_RESOLVE_PROXY) no_socket_ = why_no_socket();
  if (no_socket_ != 0)
    return fail(Error(ErrorKind::kUnavailable, "{}: cannot be asked, for this process has no socket left: {}", url_,
                      std::generic_category().message(no_socket_))
                    .with_retry_after(std::chrono::seconds(1)));
  const char* why = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(static_cast<CURLcode>(curl_code));
  fail(Error(curl_code == CURLE_OPERATION_TIMEDOUT ? ErrorKind::kTimeout : ErrorKind::kUpstream, "{}: {}", url_, why));
}

void Transfer::cancel() { fail(Error(ErrorKind::kCancelled, "{}: no longer wanted", url_)); }

void Transfer::fail(Error why) {
  done_ = true;
  error_ = std::move(why);
  moved_.wake_all();
}

void Transfer::begin_pace() {
  pace_bytes_ = 0;
  pace_from_ms_ = last_byte_at_ms_ = uv_now(client_.machinery_->loop.uv());
}

/// Own counting, since libcurl's looks at the last seconds alone and goes on counting while a transfer is paused.
void Transfer::check_pace(std::uint64_t now_ms) {
  if (done_ || paused_ || upload_wanted_) return;
  const ClientOptions& options = client_.machinery_->options;
  const auto silence = static_cast<std::uint64_t>(options.silence.count());
  if (now_ms - last_byte_at_ms_ >= silence)
    return fail(Error(ErrorKind::kTimeout, "{}: nothing came for {} ms", url_, silence));
  if (!head_done_ || now_ms - pace_from_ms_ < silence) return;
  if (pace_bytes_ < options.least_bytes_per_second * silence / 1000)
    return fail(
        Error(ErrorKind::kTimeout, "{}: sends less than {} bytes a second", url_, options.least_bytes_per_second));
  pace_bytes_ = 0;
  pace_from_ms_ = now_ms;
}

Transfer::~Transfer() {
  client_.machinery_->transfers.erase(this);
  if (easy_ != nullptr) {
    curl_multi_remove_handle(client_.machinery_->multi, easy_);
    curl_easy_cleanup(easy_);
  }
  curl_slist_free_all(static_cast<curl_slist*>(header_list_));
}

Task<Result<void>> Transfer::await_head() {
  while (!head_done_ && !done_) {
    if (upload_wanted_)
      co_await read_more();
    else
      co_await moved_.wait();
  }
  if (!head_done_ && error_) co_return *error_;
  co_return Result<void>();
}

Task<void> Transfer::read_more() {
  auto piece = co_await upload_->read(upload_read_, upload_->size() - upload_read_);
  if (done_) co_return;
  if (!piece) co_return fail(std::move(piece.error()));
  if (piece->empty() || piece->size() > upload_->size() - upload_read_)
    co_return fail(Error(ErrorKind::kInternal, "{}: what was to be sent is not as long as it should be", url_));
  upload_read_ += piece->size();
  upload_piece_ = std::move(*piece);
  upload_taken_ = 0;
  upload_wanted_ = false;
  begin_pace();
  curl_easy_pause(easy_, paused_ ? CURLPAUSE_RECV : CURLPAUSE_CONT);  // may call back at once
}

std::size_t Transfer::room() const {
  const std::size_t free = window_open_ - std::min(window_used_, window_open_);
  if (window_used_ == 0) return free * Buffer::kBytes;
  return free * Buffer::kBytes + window_[(window_first_ + window_used_ - 1) % kWindowBuffers].space().size();
}

void Transfer::take_in(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (window_used_ > 0) {
      const std::size_t last = (window_first_ + window_used_ - 1) % kWindowBuffers;
      bytes = bytes.subspan(window_[last].append(bytes));
      if (bytes.empty()) break;
    }
    window_[(window_first_ + window_used_) % kWindowBuffers] = Buffer::take();
    ++window_used_;
  }
}

Task<Result<Buffer>> Transfer::next() {
  while (window_used_ == 0) {
    if (done_ && error_) co_return *error_;
    if (done_) co_return Buffer();
    if (paused_) {
      go_on();
      continue;
    }
    co_await moved_.wait();
  }
  Buffer first = std::move(window_[window_first_]);
  window_first_ = (window_first_ + 1) % kWindowBuffers;
  --window_used_;
  window_open_ = std::min(window_open_ * 2, kWindowBuffers);
  if (paused_ && room() >= kReceiveBytes) go_on();
  co_return std::move(first);
}

void Transfer::go_on() {
  paused_ = false;
  begin_pace();
  curl_easy_pause(easy_, CURLPAUSE_CONT);  // may call back at once
}

Task<Result<std::string>> Transfer::read_whole(std::size_t limit) {
  const auto too_large = [&] { return Error(ErrorKind::kTooLarge, "{} answered more than {} bytes", url_, limit); };
  if (head_.content_length().value_or(0) > limit) co_return too_large();
  std::string body;
  while (true) {
    auto got = co_await next();
    if (!got) co_return got.error();
    if (got->empty()) break;
    if (got->size() > limit - body.size()) co_return too_large();
    body.append(reinterpret_cast<const char*>(got->bytes().data()), got->size());
  }
  co_return body;
}

Client::Client(Loop& loop, ClientOptions options) : machinery_(std::make_unique<Machinery>(loop, std::move(options))) {}

Client::~Client() = default;

void Client::cancel_all() {
  machinery_->cancelled = true;
  for (Transfer* transfer : machinery_->transfers) transfer->cancel();
}

Task<Result<std::unique_ptr<Transfer>>> Client::open(ClientRequest request) {
  std::unique_ptr<Transfer> transfer(new Transfer(*this));
  transfer->url_ = request.url().substr(0, request.url().find('?'));  // a query may hold a signature
  if (machinery_->cancelled) {
    transfer->cancel();
    co_return *transfer->error_;
  }
  machinery_->transfers.insert(transfer.get());
  uv_update_time(machinery_->loop.uv());
  transfer->begin_pace();
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(machinery_->pace)) == 0)
    uv_timer_start(
        machinery_->pace, [](uv_timer_t* handle) { static_cast<Machinery*>(handle->data)->check_pace(); },
        kPaceEvery.count(), kPaceEvery.count());
  CURL* easy = curl_easy_init();
  WHERRY_CHECK(easy != nullptr);
  transfer->easy_ = easy;
  const ClientOptions& options = machinery_->options;
  curl_slist* headers = nullptr;
  for (const std::string& line : request.headers()) headers = curl_slist_append(headers, line.c_str());
  // A server that does not know 100-continue would be waited for, for a second.
  if (request.stream() != nullptr || !request.body().empty()) headers = curl_slist_append(headers, "Expect:");
  transfer->header_list_ = headers;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer.get());
  curl_easy_setopt(easy, CURLOPT_URL, request.url().c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, options.proxy.c_str());
  transfer->only_public_ = request.is_only_public() && options.proxy.empty();
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::Callbacks::open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "wherry/" WHERRY_VERSION);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(kReceiveBytes));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_time.count()));
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error_text_);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Transfer::Callbacks::header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer.get());
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Transfer::Callbacks::body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer.get());
  if (request.accepts_gzip()) curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  if (request.method() == "HEAD")
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else if (request.method() != "GET")
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method().c_str());
  if (request.stream() != nullptr) {
    transfer->upload_ = request.stream();
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(kSendBytes));
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer->upload_->size()));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &Transfer::Callbacks::upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer.get());
  } else if (!request.body().empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body().size()));
    curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request.body().data());
  }
  curl_multi_add_handle(machinery_->multi, easy);
  auto head = co_await transfer->await_head();
  if (!head) co_return head.error();
  co_return std::move(transfer);
}

}  // namespace wherry::http
