#include "common/feed/feed_service.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/feed/gzip_stream.h"
#include "common/feed/key_records.h"
#include "common/http/problem.h"
#include "common/http/uri.h"

namespace wherry::feed {
namespace {

/// One stream of those that are counted.
class Counted {
 public:
  explicit Counted(std::atomic<std::size_t>& count) : count_(count), number_(count.fetch_add(1)) {}
  ~Counted() { count_.fetch_sub(1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  std::size_t before() const { return number_; }

 private:
  std::atomic<std::size_t>& count_;
  std::size_t number_;
};

Error removed() { return Error(ErrorKind::kUnauthorized, "this node was removed"); }

constexpr std::size_t kCompressedATurn = std::size_t{32} << 10;  // half a millisecond of a loop

/// The way out of one stream: compressed for who asks for it.
class Outlet {
 public:
  Outlet(http::Exchange& exchange, const Admitted& follower, bool may_compress)
      : exchange_(exchange), follower_(follower) {
    if (may_compress && accepts_gzip(exchange.request().joined_header("accept-encoding"))) gzip_.emplace();
  }

  /// The first piece brings the head along: until then an error can still be an answer of its own. `piece` outlives it.
  Task<Result<void>> send(std::string_view piece) {
    if (follower_.is_revoked()) co_return removed();
    if (!exchange_.responded()) {
      auto begun = co_await exchange_.begin_stream(head());
      if (!begun) co_return begun;
    }
    if (!gzip_) co_return co_await exchange_.send_piece(piece);
    Result<void> sent;
    while (sent && !piece.empty()) {
      const std::string compressed = gzip_->piece(piece.substr(0, kCompressedATurn));
      piece.remove_prefix(std::min(piece.size(), kCompressedATurn));
      sent = co_await exchange_.send_piece(compressed);
      if (sent && !piece.empty()) co_await Loop::current().yield();
    }
    co_return sent;
  }
  Task<Result<void>> end() {
    if (gzip_) {
      const std::string last = gzip_->end();
      auto sent = co_await exchange_.send_piece(last);
      if (!sent) co_return sent;
    }
    co_return co_await exchange_.end_stream();
  }

 private:
  http::Response head() const {
    http::Response begin(200);
    begin.header("Content-Type", FeedService::kMediaType).header("Cache-Control", "no-store");
    begin.header("Vary", "Accept-Encoding");
    if (gzip_) begin.header("Content-Encoding", "gzip");
    return begin;
  }

  http::Exchange& exchange_;
  const Admitted& follower_;
  std::optional<GzipStream> gzip_;
};

/// Where a snapshot is to begin. Errors: kInvalid for a query that is not in its form.
Result<SnapshotStart> read_start(std::string_view query) {
  const Error wrong(ErrorKind::kInvalid, "epoch, position and chain come together, after= is hexadecimal");
  SnapshotStart start;
  const auto position = http::query_value(query, "position");
  if (position) {
    const auto number = parse_decimal(*position, INT64_MAX);
    const auto epoch = parse_decimal(http::query_value(query, "epoch").value_or(""), INT64_MAX);
    const auto chain = from_hex(http::query_value(query, "chain").value_or(""));
    if (!number || !epoch || !chain || chain->size() != sizeof(Hash)) return wrong;
    start.base = Head{*number, *epoch, to_hash(*chain)};
  }
  if (const auto after = http::query_value(query, "after")) {
    const auto key = from_hex(*after);
    if (!key || !start.base) return wrong;
    start.after_row = *key;
  }
  return start;
}

std::string record_of(const SignedHead& head) {
  std::string out;
  append_record(out, RecordKind::kHead, head.encode());
  return out;
}

}  // namespace

Task<Result<void>> FeedService::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string_view place = request.path.substr(kPrefix.size());
  if (place != "feed" && place != "snapshot") co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
  if (request.method != "GET") {
    auto refused = http::problem(405, "Method not allowed", "the feed is read with GET");
    refused.header("Allow", "GET");
    co_return co_await exchange.send(std::move(refused));
  }
  if (place == "snapshot") co_return co_await snapshot(exchange);
  co_return co_await stream(exchange);
}

http::Response FeedService::render(const Error& error) const { return http::problem_of(error); }

Task<Result<void>> FeedService::stream(http::Exchange& exchange) {
  const std::string_view query = exchange.request().query;
  const auto from = parse_decimal(http::query_value(query, "from").value_or("1"), INT64_MAX);
  if (!from || *from == 0) co_return Error(ErrorKind::kInvalid, "from= is a position, counted from 1");
  auto follower = admission_.admit(exchange);
  if (!follower) co_return follower.error();
  const Counted counted(streams_);
  if (counted.before() >= kMostStreams)
    co_return Error(ErrorKind::kUnavailable, "{} followers are here already", kMostStreams);

  if (!publisher_.ring().newest()) {
    if (!heads_.has_feed()) co_return Error(ErrorKind::kNotFound, "this node follows no feed");
    co_return Error(ErrorKind::kUnavailable, "this node has not heard of its parent's feed yet");
  }

  const std::uint64_t before = *from - 1;
  auto present = co_await head(store_);
  if (!present) co_return present.error();
  auto chain = co_await chain_at(store_, before);
  if (!chain) co_return chain.error();
  const auto stated = http::query_value(query, "chain");
  const bool parted = *chain && stated && *stated != to_hex(**chain);
  const auto epoch = parse_decimal(http::query_value(query, "epoch").value_or(""), INT64_MAX);
  const bool epoch_is_over = epoch && *epoch < present->epoch;
  if (parted || (before > present->position && (heads_.is_origin() || epoch_is_over))) {
    auto refused =
        http::problem(409, "The logs have parted",
                      fmt::format("this log is in epoch {} at position {}, and does not have what comes before "
                                  "position {} there",
                                  present->epoch, present->position, *from));
    co_return co_await exchange.send(std::move(refused));
  }
  if (!*chain && before <= present->position) {
    auto gone = http::problem(410, "Compacted", fmt::format("position {} is not in the log any more", *from));
    gone.header("Link", "</wherry/v1/snapshot>; rel=\"alternate\"");
    co_return co_await exchange.send(std::move(gone));
  }
  auto keys = co_await key_records(store_);
  if (!keys) co_return keys.error();
  // What was answered to a push is published a moment later: the first head is not to be of before that.
  Ring& ring = publisher_.ring();
  while (!ring.ended() && ring.newest() && ring.newest()->to() < present->position) co_await ring.changed().wait();
  if (const auto newest = ring.newest()) *keys += record_of(newest->head());
  Outlet outlet(exchange, *follower, counted.before() < kMostCompressed);
  auto sent = co_await outlet.send(*keys);
  if (!sent) co_return sent;
  SendPiece send = [&outlet](std::string_view piece) { return outlet.send(piece); };
  sent = co_await send_all(send, before, *follower);
  if (!sent) co_return sent;
  co_return co_await outlet.end();
}

Task<Result<void>> FeedService::snapshot(http::Exchange& exchange) {
  auto start = read_start(exchange.request().query);
  if (!start) co_return start.error();
  auto follower = admission_.admit(exchange);
  if (!follower) co_return follower.error();
  const Counted counted(streams_);
  if (counted.before() >= kMostStreams)
    co_return Error(ErrorKind::kUnavailable, "{} followers are here already", kMostStreams);
  Outlet outlet(exchange, *follower, counted.before() < kMostCompressed);
  SendPiece send = [&outlet](std::string_view piece) { return outlet.send(piece); };
  auto written = co_await heads_.snapshot(std::move(*start), follower->visibility, std::move(send));
  if (!written && written.error().kind() == ErrorKind::kNotFound && !exchange.responded())
    co_return co_await exchange.send(http::problem(410, "Compacted", written.error().message()));
  if (!written) co_return written;
  co_return co_await outlet.end();
}

Task<Result<void>> FeedService::send_all(const SendPiece& send, std::uint64_t position, const Admitted& follower) {
  Ring& ring = publisher_.ring();
  Ring::Place place{position, 0};
  const auto begun_with = ring.newest();
  const std::uint64_t begun_epoch = begun_with ? begun_with->head().head.epoch : 0;
  const Visibility& visibility = follower.visibility;
  while (!ring.ended()) {
    if (follower.is_revoked()) co_return removed();
    std::shared_ptr<const Segment> segment;
    const Ring::Next next = ring.next(place, segment);
    if (next == Ring::Next::kLog) {
      auto page = co_await out_of_log(place.position);
      if (!page) co_return page.error();
      segment = *page;
      if (segment) place.position = segment->to();
    }
    if (!segment) {
      // Another history has begun here, at a position below: who asks anew is told so.
      const auto newest = ring.newest();
      if (newest && newest->to() < place.position && newest->head().head.epoch > begun_epoch) co_return Result<void>();
      co_await ring.changed().wait();
      continue;
    }
    const std::string filtered = visibility.sees_all() ? std::string() : segment->bytes_for(visibility);
    const std::string_view bytes = visibility.sees_all() ? std::string_view(segment->bytes()) : filtered;
    Task<Result<void>> sending = send(bytes);
    auto sent = co_await std::move(sending);
    if (!sent) co_return sent;
  }
  co_return Result<void>();
}

Task<Result<std::shared_ptr<const Segment>>> FeedService::out_of_log(std::uint64_t position) {
  const std::size_t page = heads_.is_origin() ? kEntriesOfAHead : kEntriesOfThePage;
  auto entries = co_await read(store_, position + 1, page);
  if (!entries) co_return entries.error();
  if (entries->compacted) co_return Error(ErrorKind::kNotFound, "the log was compacted meanwhile");
  if (entries->list.empty()) co_return std::shared_ptr<const Segment>();
  auto closing = co_await heads_.closing(entries->list);
  if (!closing) co_return closing.error();
  if (!*closing) co_return std::shared_ptr<const Segment>();
  entries->list.erase(entries->list.begin() + static_cast<std::ptrdiff_t>((*closing)->entries), entries->list.end());
  co_return Segment::make(entries->list, (*closing)->head);
}

}  // namespace wherry::feed
