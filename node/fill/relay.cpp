#include "node/fill/relay.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace wherry::node {
namespace {

std::atomic<int> relays{0};

}  // namespace

Relay::Relay(Upstream upstream, Pool& pool, const RepositoryName& repository, const Digest& digest)
    : upstream_(upstream), pool_(pool), repository_(repository), digest_(digest), hasher_(digest.algorithm()) {
  relays.fetch_add(1, std::memory_order_relaxed);
}

Relay::~Relay() { relays.fetch_sub(1, std::memory_order_relaxed); }

Task<Result<std::unique_ptr<http::Body>>> Relay::open(Upstream upstream, Pool& pool, const RepositoryName& repository,
                                                      const Digest& digest) {
  if (relays.load(std::memory_order_relaxed) >= kMaxRelays)
    co_return Error(ErrorKind::kUnavailable,
                    "this node has no room for the blob and passes on too many others; try again soon")
        .with_retry_after(std::chrono::seconds(5));
  std::unique_ptr<Relay> relay(new Relay(upstream, pool, repository, digest));
  auto connected = co_await relay->connect();
  if (!connected) co_return connected.error();
  relay->window_.reset(::memfd_create("relay", MFD_CLOEXEC));
  if (!relay->window_) co_return system_error(errno, "make a window of memory");
  const auto said = relay->source_->size();
  if (said) {
    relay->size_ = *said;
  } else {
    auto size = co_await upstream.blob_size(repository, digest);
    if (!size)
      co_return Error(ErrorKind::kUnavailable,
                      "this node has no room for the blob, and its length, to pass it on unstored, is not known");
    relay->size_ = *size;
  }
  if (relay->size_ == 0) {
    auto checked = relay->check_end();
    if (!checked) co_return checked.error();
  }
  if (::ftruncate(relay->window_.get(), static_cast<off_t>(relay->size_)) != 0)
    co_return system_error(errno, "make a window of memory");
  std::unique_ptr<http::Body> body = std::move(relay);
  co_return body;
}

/// Begins to fetch, behind what came so far.
Task<Result<void>> Relay::connect() {
  connected_at_ = hasher_.size();
  auto turn = co_await upstream_.turn(repository_, Budget::Use::kRelay);
  if (!turn) co_return turn.error();
  auto source = co_await upstream_.blob(std::move(*turn), repository_, digest_, hasher_.size());
  if (!source) co_return source.error();
  if (hasher_.size() > 0 && source->size() && *source->size() != size_)
    co_return Error(ErrorKind::kUpstream, "{} changed its mind about the size of a blob", upstream_.url());
  skip_ = hasher_.size() - source->offset();
  source_.emplace(std::move(*source));
  co_return Result<void>();
}

std::optional<Result<std::uint64_t>> Relay::try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) {
  const std::uint64_t limit = std::min(kept_to_, verified_ ? end : end - 1);
  if (offset < kept_from_ || offset >= limit) return std::nullopt;
  return Result<std::uint64_t>(std::min(want, limit - offset));
}

Task<Result<std::uint64_t>> Relay::ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) {
  // Another part of the same response, and its bytes have gone by.
  if (offset < kept_from_ || (offset >= kept_to_ && kept_to_ < hasher_.size())) begin_anew();
  while (true) {
    auto now = try_ready(offset, want, end);
    if (now) co_return std::move(*now);
    auto advanced = co_await advance(offset, end);
    if (!advanced) co_return advanced.error();
  }
}

void Relay::begin_anew() {
  source_.reset();
  hasher_ = Hasher(digest_.algorithm());
  verified_ = false;
  kept_from_ = 0;
  kept_to_ = 0;
}

/// Takes in the next bytes and keeps what lies in the range given; what lies before it is given up.
Task<Result<void>> Relay::advance(std::uint64_t keep_from, std::uint64_t keep_to) {
  while (!attempts_.used_up()) {
    if (!source_) co_await attempts_.pause();
    Result<void> well;
    if (!source_) well = co_await connect();
    while (well) {
      auto got = co_await source_->next();
      if (!got) {
        well = got.error();
        break;
      }
      if (got->empty()) {
        well = Error(ErrorKind::kUpstream, "{} sent less than it said", upstream_.url());
        break;
      }
      buffer_ = std::move(*got);
      if (skip_ >= buffer_.size()) {
        skip_ -= buffer_.size();
        continue;
      }
      const std::uint64_t count = buffer_.size() - skip_;
      if (hasher_.size() + count > size_)
        co_return Error(ErrorKind::kUpstream, "{} sent more than it said", upstream_.url());
      auto taken =
          co_await pool_.run([this, &count, &keep_from, &keep_to] { return take_in(count, keep_from, keep_to); });
      if (verified_) source_.reset();  // the reader may take its time now: it is nobody else's
      co_return taken;
    }
    source_.reset();
    attempts_.broke(hasher_.size() - connected_at_);
    if (!is_down(well.error()) || attempts_.used_up()) co_return well;
  }
  co_return Error(ErrorKind::kUpstream, "{} does not send the blob", upstream_.url());
}

/// The last `count` bytes of the buffer are the next of the blob.
Result<void> Relay::take_in(std::uint64_t count, std::uint64_t keep_from, std::uint64_t keep_to) {
  const auto bytes = buffer_.bytes().last(static_cast<std::size_t>(count));
  skip_ = 0;
  const std::uint64_t start = hasher_.size();
  constexpr std::uint64_t kPage = 4096;
  if (const std::uint64_t gone = keep_from / kPage * kPage; gone > kept_from_)
    ::fallocate(window_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(gone));
  kept_from_ = keep_from;
  const std::uint64_t from = std::max(start, keep_from);
  const std::uint64_t to = std::min(start + count, keep_to);
  for (std::uint64_t at = from; at < to;) {
    const auto part = bytes.subspan(static_cast<std::size_t>(at - start), static_cast<std::size_t>(to - at));
    const ssize_t wrote = ::pwrite(window_.get(), part.data(), part.size(), static_cast<off_t>(at));
    if (wrote < 0 && errno != EINTR) return system_error(errno, "write into a window of memory");
    if (wrote > 0) at += static_cast<std::uint64_t>(wrote);
  }
  kept_to_ = std::max(keep_from, std::min(start + count, std::max(keep_to, kept_to_)));
  hasher_.update(bytes);
  if (hasher_.size() == size_) return check_end();
  return {};
}

Result<void> Relay::check_end() {
  if (hasher_.size() != size_ || hasher_.finish() != digest_)
    return Error(ErrorKind::kUpstream, "{} sent other bytes than those of {}", upstream_.url(), digest_.to_string());
  verified_ = true;
  return {};
}

}  // namespace wherry::node
