#include "node/follow/follower.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/feed/feed_service.h"
#include "common/kv/for_each_row.h"
#include "node/follow/batches.h"
#include "node/follow/follow_rows.h"
#include "node/follow/trusted_keys.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMostAnswerBytes = 16 * 1024;

std::string_view name_of(Follower::State state) {
  switch (state) {
    case Follower::State::kOff: return "off";
    case Follower::State::kConnecting: return "connecting";
    case Follower::State::kFollowing: return "following";
    case Follower::State::kNoFeed: return "no-feed";
    case Follower::State::kAlarmed: return "alarmed";
  }
  return "off";
}

}  // namespace

http::ClientOptions feed_client_options(const Upstreams& upstreams) {
  http::ClientOptions options;
  if (upstreams.parent() == nullptr) return options;
  const UpstreamOptions& parent = upstreams.parent()->options();
  options.connect_time = parent.connect_time;
  options.silence = Follower::kSilence;
  options.least_bytes_per_second = 0;
  options.ca_file = parent.ca_file;
  options.proxy = parent.proxy;
  return options;
}

std::string parent_url(const Upstreams& upstreams) {
  std::string url = upstreams.parent() == nullptr ? std::string() : upstreams.parent()->url();
  while (url.ends_with('/')) url.pop_back();
  return url;
}

namespace {

/// What an answer other than a stream means. kNotFound: there is no feed; kInvalid: it is not to be followed.
Error meaning_of(int status, std::string_view text) {
  if (status == 404 || status == 405)
    return Error(ErrorKind::kNotFound, "the parent gives no feed (status {})", status);
  if (status == 401 || status == 403)
    return Error(ErrorKind::kUnauthorized, "the parent does not let this node read its feed (status {}): {}", status,
                 text);
  return Error(ErrorKind::kUpstream, "the parent's feed: status {} {}", status, text);
}

}  // namespace

Follower::Follower(registry::Storage& storage, CacheSpace& space, const Upstreams& upstreams, FollowOptions options,
                   FollowedNames& names, registry::PolicyKeeper& policy, feed::Publisher& publisher,
                   Membership& membership, Metrics& metrics)
    : storage_(storage),
      space_(space),
      upstreams_(upstreams),
      options_(std::move(options)),
      names_(names),
      policy_(policy),
      publisher_(publisher),
      membership_(membership),
      home_(Loop::current()),
      applier_(storage, space, keys_,
               [this](const auto& batches, bool was_complete) { applied(batches, was_complete); }),
      entries_(metrics.counter("wherry_feed_entries_applied_total", "Entries of the parent's feed that were applied")),
      alarms_(metrics.counter("wherry_feed_alarms_total", "Times that the parent's feed could not be believed")),
      streams_(metrics.counter("wherry_feed_streams_total", "Streams of the parent's feed that were begun")),
      joins_(metrics.counter("wherry_feed_snapshots_total", "Snapshots of the parent that were put in place")) {
  metrics.gauge("wherry_feed_position", "Position of the feed up to which everything is applied", [this] {
    const auto standing = names_.standing();
    return standing ? static_cast<double>(standing->position) : 0.0;
  });
  metrics.gauge("wherry_feed_age_seconds", "Time since the master signed what is known", [this] {
    const auto standing = names_.standing();
    return standing ? static_cast<double>(standing->age.count()) : -1.0;
  });
}

Task<Result<void>> Follower::start() {
  const Origin* parent = upstreams_.parent();
  if (parent == nullptr || !options_.enabled) co_return Result<void>();
  names_.enable();
  auto keys = co_await load_keys();
  if (!keys) co_return keys;
  auto placed = co_await load_place();
  if (!placed) co_return placed;
  auto answered = co_await names_.answered_ahead().load(applier_.is_complete() ? applier_.at().position : 0);
  if (!answered) co_return answered;
  client_ = std::make_unique<http::Client>(Loop::current(), feed_client_options(upstreams_));
  relay_client_ = std::make_unique<http::Client>(Loop::current(), feed_client_options(upstreams_));
  applier_.on_failed([this] { cut_stream(); });
  has_feed_.store(true, std::memory_order_relaxed);
  scope_.spawn(run());
  co_return Result<void>();
}

Task<Result<void>> Follower::load_place() {
  auto loaded = co_await applier_.load();
  if (!loaded) co_return loaded;
  const auto& last = applier_.last();
  if (!last) co_return loaded;
  auto policy = co_await policy_.load();
  if (!policy) co_return policy;
  names_.advance(*last, applier_.is_complete());
  if (applier_.is_complete()) {
    membership_.feed_is_complete();
    policy_.publish();
  }
  publisher_.publish(feed::Segment::make({}, *last));
  co_return loaded;
}

Task<void> Follower::stop() {
  stopping_ = true;
  sleeper_.wake();
  if (client_) client_->cancel_all();
  if (relay_client_) relay_client_->cancel_all();
  co_await scope_.join();
  client_.reset();
}

Task<Result<void>> Follower::load_keys() {
  auto loaded = co_await load_trusted_keys(storage_.names(), options_.key, keys_);
  if (!loaded && loaded.error().kind() == ErrorKind::kInvalid)
    co_return Error(ErrorKind::kInvalid, "parent.feed-key: {}", loaded.error().message());
  co_return loaded;
}

Task<void> Follower::run() {
  while (!stopping_) {
    state_ = State::kConnecting;
    if (membership_.is_joining()) {
      co_await sleeper_.sleep(kFirstPause);
      continue;
    }
    const auto begun = std::chrono::steady_clock::now();
    const std::uint64_t before = applier_.at().position;
    const auto outcome = co_await follow_once();
    if (stopping_) break;
    // One that brought something or lived begins anew at once; one that ended at once does not come back at once.
    const bool lived = std::chrono::steady_clock::now() - begun >= kLongestPause;
    if (lived || applier_.at().position != before) pause_ = kFirstPause;
    note(outcome);
    co_await sleeper_.sleep(jittered(pause_));
    pause_ = std::min(pause_ * 2, std::max(pause_, kLongestPause));
  }
}

void Follower::note(const Result<void>& outcome) {
  if (outcome) {
    trouble_.clear();
    return;
  }
  const std::string trouble = outcome.error().to_string();
  const bool is_news = trouble != trouble_;
  trouble_ = trouble;
  const ErrorKind kind = outcome.error().kind();
  has_feed_.store(kind != ErrorKind::kNotFound || applier_.last(), std::memory_order_relaxed);
  if (kind == ErrorKind::kNotFound) {
    state_ = State::kNoFeed;
    pause_ = kNoFeedPause;
    if (is_news) log::info("the parent's feed is not followed", {{"why", trouble}});
  } else if (kind == ErrorKind::kInvalid) {
    state_ = State::kAlarmed;
    pause_ = std::max(pause_, kLongestPause);
    alarms_.add();
    log::error("the parent's feed cannot be believed; what is known stays",
               {{"why", trouble},
                {"position", std::to_string(applier_.at().position)},
                {"epoch", std::to_string(applier_.at().epoch)}});
  } else {
    if (pause_ > kLongestPause) pause_ = kFirstPause;
    if (is_news) log::warn("the parent's feed broke off", {{"why", trouble}});
  }
}

http::ClientRequest Follower::request(const std::string& target) {
  http::ClientRequest asking("GET", parent_url(upstreams_) + target);
  asking.header("Accept", feed::FeedService::kMediaType);
  if (options_.compress) asking.accept_gzip();
  if (const auto who = membership_.authorization("GET", target, {})) asking.header("Authorization", *who);
  return asking;
}

Task<Result<void>> Follower::follow_once() {
  auto swapped = co_await finish_swap();
  if (!swapped) co_return swapped;
  auto same_view = co_await check_view();
  if (!same_view) co_return same_view.error();
  if (!*same_view) co_return co_await join(Join::Because::kOtherView);
  const std::string target = fmt::format("{}feed?from={}&epoch={}&chain={}", feed::FeedService::kPrefix,
                                         applier_.at().position + 1, applier_.at().epoch, to_hex(applier_.at().chain));
  http::ClientRequest asking = request(target);
  auto stream = co_await client_->open(std::move(asking));
  if (!stream) co_return stream.error();
  const int status = (*stream)->head().status();
  if (status == 409 || status == 410) {
    stream->reset();
    const auto because = status == 409 ? Join::Because::kParted : Join::Because::kCompacted;
    co_return co_await join(because);
  }
  if (status != 200) {
    auto text = co_await (*stream)->read_whole(kMostAnswerBytes);
    co_return meaning_of(status, text ? std::string_view(*text) : std::string_view());
  }
  if ((*stream)->head().header("content-type") != feed::FeedService::kMediaType)
    co_return Error(ErrorKind::kNotFound, "the parent answers with something else than a feed");
  streams_.add();
  feed::Verifier verifier(applier_.at(), keys_, options_.key.empty(), membership_.sees_all());
  co_return co_await take_stream(**stream, verifier);
}

Task<Result<bool>> Follower::check_view() {
  auto known = co_await storage_.names().get(rows::view_key());
  if (!known) co_return known.error();
  const std::string now = membership_.view();
  if (!staged_view_) staged_view_ = known->value_or(std::string());
  if (known->value_or(std::string()) == now) co_return true;
  if (applier_.at().position > 0) co_return false;
  auto noted = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(rows::view_key(), now);
    return {};
  });
  if (!noted) co_return noted.error();
  co_return true;
}

void Follower::cut_stream() {
  if (stream_ != nullptr) stream_->cancel();
}

void Follower::reconnect() {
  cut_stream();
  pause_ = kFirstPause;
  sleeper_.wake();
}

Task<Result<void>> Follower::finish_swap() {
  Join join(storage_, space_, keys_, options_.key.empty(), membership_.sees_all());
  auto unfinished = co_await join.unfinished();
  if (!unfinished) co_return unfinished.error();
  if (!*unfinished) co_return Result<void>();
  auto swapped = co_await join.resume(**unfinished);
  if (!swapped) co_return swapped;
  auto placed = co_await load_place();
  if (!placed) co_return placed;
  co_return co_await tell_policies();
}

Task<Result<void>> Follower::join(Join::Because because) {
  Join join(storage_, space_, keys_, options_.key.empty(), membership_.sees_all());
  const std::string view = membership_.view();
  if (staged_view_ != view) {  // what was staged may be of another one
    auto dropped = co_await join.drop();
    if (!dropped) co_return dropped;
    staged_view_ = view;
  }
  const Join::Open ask = [this](const std::string& target) { return open(target); };
  const feed::Head before = applier_.at();
  auto head = co_await join.take(ask, before, because);
  if (!head) co_return head.error();
  if (because == Join::Because::kParted) {
    auto forgotten = co_await names_.answered_ahead().forget();
    if (!forgotten) co_return forgotten;
  }
  auto swapped = co_await join.swap(*head, view);
  if (!swapped) co_return swapped;
  joins_.add();
  log::info("the parent's snapshot is in place", {{"position", std::to_string(head->head.position)},
                                                  {"epoch", std::to_string(head->head.epoch)},
                                                  {"position_before", std::to_string(before.position)},
                                                  {"epoch_before", std::to_string(before.epoch)}});
  auto placed = co_await load_place();
  if (!placed) co_return placed;
  co_return co_await tell_policies();
}

Task<Result<void>> Follower::tell_policies() {
  const std::string prefix = feed::state_policies_prefix();
  auto registered_only = co_await storage_.names().get(prefix + std::string(auth::kRegisteredOnly));
  if (!registered_only) co_return registered_only.error();
  membership_.take_policy(auth::kRegisteredOnly, registered_only->has_value());
  const kv::VisitRow tell_one = [&](std::string_view key, std::string_view json) -> Result<void> {
    tell(feed::Change::policy_set(std::string(key.substr(prefix.size())), std::string(json), {}), false);
    return {};
  };
  co_return co_await kv::for_each_row(storage_.names(), prefix, tell_one);
}

Task<Result<void>> Follower::snapshot(feed::SnapshotStart start, feed::Visibility visibility, feed::SendPiece send) {
  Loop& here = Loop::current();
  feed::SnapshotFilter filter(std::move(visibility));
  co_await home_.enter();
  ++relays_;
  auto relayed = co_await relay(std::move(start), filter, here, send);
  --relays_;
  co_await here.enter();
  co_return relayed;
}

Task<Result<void>> Follower::relay(feed::SnapshotStart start, feed::SnapshotFilter& filter, Loop& client_loop,
                                   const feed::SendPiece& send) {
  if (!relay_client_ || stopping_) co_return Error(ErrorKind::kUnavailable, "this node follows no feed");
  if (relays_ > kMostRelays)
    co_return Error(ErrorKind::kUnavailable, "{} children take a snapshot already", kMostRelays);
  std::string target = fmt::format("{}snapshot", feed::FeedService::kPrefix);
  if (start.base)
    target += fmt::format("?epoch={}&position={}&chain={}", start.base->epoch, start.base->position,
                          to_hex(start.base->chain));
  if (start.base && !start.after_row.empty()) target += "&after=" + to_hex(as_bytes(start.after_row));
  http::ClientRequest asking = request(target);
  auto stream = co_await relay_client_->open(std::move(asking));
  if (!stream) co_return stream.error();
  const int status = (*stream)->head().status();
  if (status == 410) co_return Error(ErrorKind::kNotFound, "the parent's log was compacted");
  if (status != 200) co_return Error(ErrorKind::kUpstream, "the parent's snapshot: status {}", status);
  while (true) {
    auto piece = co_await (*stream)->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Result<void>();
    auto passed = filter.pass(as_text(piece->bytes()));
    if (!passed) co_return passed.error();
    piece->clear();
    co_await client_loop.enter();
    auto sent = co_await send(*passed);
    co_await home_.enter();
    if (!sent) co_return sent;
  }
}

Task<Result<void>> Follower::take_stream(http::Transfer& stream, feed::Verifier& verifier) {
  stream_ = &stream;
  auto read = co_await read_stream(stream, verifier);
  auto applied = co_await applier_.drain();
  stream_ = nullptr;
  co_return applied ? read : applied;
}

Task<Result<void>> Follower::read_stream(http::Transfer& stream, feed::Verifier& verifier) {
  feed::RecordReader reader;
  while (true) {
    auto piece = co_await stream.next();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Result<void>();
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    while (true) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      auto batch = verifier.take(**record);
      if (!batch) co_return batch.error();
      newest_ = std::max(newest_, verifier.newest());
      if (!*batch) continue;
      auto taken = co_await applier_.take(std::move(**batch), verifier.newest());
      if (!taken) co_return taken;
    }
    state_ = State::kFollowing;
  }
}

void Follower::applied(const std::vector<feed::Batch>& batches, bool was_complete) {
  const feed::SignedHead& head = batches.back().head;
  if (applier_.is_complete() && !was_complete)
    log::info("the parent's feed is followed",
              {{"position", std::to_string(head.head.position)}, {"epoch", std::to_string(head.head.epoch)}});
  names_.advance(head, applier_.is_complete());
  for (const feed::Batch& batch : batches) {
    entries_.add(batch.entries.size());
    for (const feed::Entry& entry : batch.entries)
      if (entry.change()) tell(*entry.change(), was_complete);
    publisher_.publish(feed::Segment::make(batch.entries, batch.head));
  }
  // What was granted and taken back since is not granted for the time of catching up.
  if (applier_.is_complete()) {
    membership_.feed_is_complete();
    policy_.publish();
  }
  trouble_.clear();
}

void Follower::tell(const feed::Change& change, bool live) {
  policy_.apply(change);
  if (change.kind() == feed::ChangeKind::kPolicySet) membership_.take_policy(change.tag(), true);
  if (change.kind() == feed::ChangeKind::kPolicyRemoved) membership_.take_policy(change.tag(), false);
  if (on_applied_ && (live || change.repository().empty())) on_applied_(change);
}

Task<Result<std::unique_ptr<http::Transfer>>> Follower::open(const std::string& target) {
  http::ClientRequest asking = request(target);
  co_return co_await client_->open(std::move(asking));
}

Task<Result<std::optional<feed::Heads::Closing>>> Follower::closing(const std::vector<feed::Entry>& entries) {
  const std::uint64_t first = entries.front().position();
  const std::uint64_t last = entries.back().position();
  auto page = co_await storage_.names().scan(
      kv::ScanRequest(rows::signed_heads_prefix(), rows::signed_head_key(first - 1), entries.size()));
  if (!page) co_return page.error();
  std::optional<Closing> closing;
  for (const auto& [key, row] : page->entries) {
    auto head = feed::SignedHead::decode(row);
    if (!head) co_return Error(ErrorKind::kCorrupt, "the row of a signed head of the feed is damaged");
    if (head->head.position > last) break;
    const std::size_t count = head->head.position - first + 1;
    if (count > feed::Verifier::kMostEntries && closing) break;
    closing = Closing{std::move(*head), count};
  }
  co_return closing;
}

std::string Follower::status() const {
  const auto standing = names_.standing();
  std::string out = fmt::format(R"({{"state":"{}","position":{},"epoch":{},"newest":{},"complete":{})", name_of(state_),
                                applier_.at().position, applier_.at().epoch, std::max(newest_, applier_.at().position),
                                applier_.is_complete());
  if (standing) out += fmt::format(R"(,"age_seconds":{})", standing->age.count());
  if (!trouble_.empty()) out += R"(,"trouble":)" + json_string(trouble_);
  if (!keys_.empty()) out += fmt::format(R"(,"key":"{}")", keys_.all().front().to_hex());
  return out + "}";
}

}  // namespace wherry::node
