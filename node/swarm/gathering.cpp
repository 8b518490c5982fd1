#include "node/swarm/gathering.h"

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/http/range.h"
#include "common/swarm/crossing.h"

namespace wherry::node {
namespace {

constexpr std::chrono::milliseconds kTick{100};
/// Who holds a blob and is woken is here by then; he waits for who wants it to come to him.
constexpr std::chrono::milliseconds kFirstLook{300};
constexpr std::chrono::milliseconds kNothingToLease{250};  // then twice that, ...
constexpr std::chrono::milliseconds kNothingToLeaseMost{8'000};
constexpr std::chrono::milliseconds kParentIsAway{2'000};
constexpr std::chrono::seconds kCheckTime{3};  // in which a piece that was handed over is looked at
constexpr std::uint32_t kWindow = 64;          // pieces that are leased although neighbours say that they have them

}  // namespace

Gathering::Gathering(Origin& origin, std::string member, std::shared_ptr<swarm::Transfer> transfer,
                     std::shared_ptr<Bell> bell)
    : origin_(origin),
      member_(std::move(member)),
      transfer_(std::move(transfer)),
      bell_(std::move(bell)),
      torrent_(transfer_->torrent()),
      given_at_(torrent_.pieces()),
      front_moved_at_(Clock::system().monotonic()),
      neighbours_sent_at_(front_moved_at_),
      neighbours_piece_at_(front_moved_at_),
      piece_at_(front_moved_at_),
      watched_from_(front_moved_at_) {}

Task<Result<void>> Gathering::run(store::BlobWriter& writer, const Came& came, Scope& leases) {
  front_ = torrent_.pieces_before(writer.size());
  for (int i = 0; i < kLeasesAtOnce; ++i) leases.spawn(lease(shared_from_this()));
  leases.spawn(meet_more(shared_from_this()));
  auto going = co_await take_in(writer, came);
  while (going && writer.size() < torrent_.size()) {
    co_await bell_->wait(kTick);
    going = co_await take_in(writer, came);
    const Monotonic now = Clock::system().monotonic();
    if (going) going = check_progress(now);
    if (going) read_on(now);
    moved_.wake_all();
  }
  ending_ = Ending::kOver;
  moved_.wake_all();
  co_return going;
}

/// Hands the writer what has no gap before it.
Task<Result<void>> Gathering::take_in(store::BlobWriter& writer, const Came& came) {
  if (auto failure = transfer_->failure()) co_return std::move(*failure);
  std::uint32_t front = front_;
  while (front < torrent_.pieces() && transfer_->has(front)) ++front;
  const std::uint64_t end = front == torrent_.pieces() ? torrent_.size() : torrent_.offset_of(front);
  if (end <= writer.size()) co_return Result<void>();
  front_ = front;
  front_moved_at_ = Clock::system().monotonic();
  auto taken = co_await writer.append_written(end - writer.size());
  if (taken) came(end);
  co_return taken;
}

Result<void> Gathering::check_progress(Monotonic now) {
  const Ending ending = ending_;
  if (ending == Ending::kCancelled) return Error(ErrorKind::kCancelled, "this node is ending");
  if (ending == Ending::kNoMember)
    return Error(ErrorKind::kNotFound, "the parent does not know this node in the swarm any more");
  if (std::exchange(received_bytes_, transfer_->received_bytes()) != received_bytes_) neighbours_sent_at_ = now;
  const std::uint32_t count = transfer_->count();
  if (std::exchange(seen_count_, count) != seen_count_) piece_at_ = now;
  // What was leased and is being checked is not among them yet: never more than there are.
  if (count > leased_pieces_ + neighbours_pieces_) {
    neighbours_pieces_ = count - leased_pieces_;
    neighbours_piece_at_ = now;
  }
  if (now - front_moved_at_ > kPatience) claims_ignored_until_ = now + kPatience;
  const auto nothing = [this] {
    return Error(ErrorKind::kUpstream, "the swarm of {} gives nothing", torrent_.blob().to_string());
  };
  if (now - piece_at_ > kHopeless) return nothing();
  if (now - watched_from_ < kDrip) return {};
  const std::uint64_t bytes = received_bytes_ + leased_bytes();
  const bool drips = bytes - watched_bytes_ < kLeastBytes && count < torrent_.pieces();
  watched_from_ = now;
  watched_bytes_ = bytes;
  if (drips) return nothing();
  return {};
}

/// Pieces come in any order, for the swarm's sake: but somebody reads this blob from its front on.
void Gathering::read_on(Monotonic now) {
  if (now - front_moved_at_ < kReadersPatience) return;
  const std::uint32_t end = std::min(front_ + kReadAhead, torrent_.pieces());
  for (std::uint32_t piece = std::max(front_, read_on_to_); piece < end; ++piece) transfer_->hurry(piece);
  read_on_to_ = std::max(read_on_to_, end);
}

/// The parent waits for it itself: nobody here is to blame that nothing comes.
void Gathering::wait_begins_anew(Monotonic now) {
  piece_at_ = now;
  watched_from_ = now;
  watched_bytes_ = received_bytes_ + leased_bytes();
}

/// What no neighbour has, for the parent; nothing when there is no such piece now. What was never sent to anybody is
/// missing although somebody who gives nothing says that he has it; who is starved is sent what others have, so he
/// takes everybody at his word.
std::optional<std::string> Gathering::missing(bool starved) const {
  if (!transfer_->is_ready()) return std::nullopt;
  swarm::PieceSet set(torrent_.pieces());
  const Monotonic now = Clock::system().monotonic();
  const bool stuck = now < claims_ignored_until_;
  for (std::uint32_t piece = front_; piece < torrent_.pieces(); ++piece) {
    if (transfer_->has(piece) || now - given_at_[piece] < kCheckTime) continue;
    const bool is_near = starved ? transfer_->is_claimed(piece) : transfer_->is_near(piece);
    if (is_near && !(stuck && piece < front_ + kWindow)) continue;
    set.add(piece);
  }
  if (set.count() == 0) return std::nullopt;
  return set.encode();
}

Task<void> Gathering::pause(std::chrono::milliseconds at_least) {
  const Monotonic until = Clock::system().monotonic() + at_least;
  do co_await moved_.wait();
  while (ending_ == Ending::kNone && Clock::system().monotonic() < until);
}

Task<void> Gathering::lease(std::shared_ptr<Gathering> self) {
  std::chrono::milliseconds nothing = kNothingToLease;
  while (self->ending_ == Ending::kNone) {
    const auto wait = co_await self->lease_once(nothing);
    if (self->ending_ == Ending::kNone && wait.count() > 0) co_await self->pause(wait);
  }
}

Task<void> Gathering::meet_more(std::shared_ptr<Gathering> self) {
  for (std::chrono::milliseconds wait = kFirstLook; self->ending_ == Ending::kNone; wait *= 2) {
    co_await self->pause(jittered(wait));
    if (self->ending_ == Ending::kNone && self->transfer_->peers() < swarm::Neighbourhood::kWanted)
      co_await self->ask_for_neighbours();
  }
}

Task<void> Gathering::ask_for_neighbours() {
  Question question;
  question.method = "POST";
  question.target =
      fmt::format("{}{}/neighbours?known={}", swarm::kPrefix, torrent_.blob().to_string(), transfer_->peers());
  question.headers.emplace_back(swarm::kMemberHeader, member_);
  question.answers = {200};
  question.patient = false;
  auto answer = co_await origin_.ask(std::move(question));
  if (!answer) co_return;  // those that it knows will do
  const auto text = co_await (*answer)->read_whole(std::size_t{1} << 16);
  if (!text) co_return;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = take_line(rest);
    transfer_->connect(std::string(line));
  }
}

/// Gives how long to wait before the next one; `nothing` is how long if there is none to have.
Task<std::chrono::milliseconds> Gathering::lease_once(std::chrono::milliseconds& nothing) {
  Leased leased = co_await ask_for_lease(false);
  const Monotonic now = Clock::system().monotonic();
  const bool is_starved = now - neighbours_sent_at_ >= kQuiet || now - neighbours_piece_at_ >= kUseless;
  const bool had_nothing = leased != Leased::kTaken && leased != Leased::kFailed;
  if (is_starved && had_nothing && ending_ == Ending::kNone) {
    const Leased again = co_await ask_for_lease(true);
    if (again != Leased::kNothingMissing) leased = again;
  }
  switch (leased) {
    case Leased::kTaken: nothing = kNothingToLease; co_return std::chrono::milliseconds(0);
    case Leased::kNoneNow: co_return jittered(std::exchange(nothing, std::min(2 * nothing, kNothingToLeaseMost)));
    case Leased::kCrosses: co_return jittered(swarm::Crossing::kAgain);
    case Leased::kFailed: co_return jittered(kParentIsAway);
    default: co_return kTick;
  }
}

Task<Gathering::Leased> Gathering::ask_for_lease(bool starved) {
  auto wanted = missing(starved);
  if (!wanted) co_return Leased::kNothingMissing;
  Question question;
  question.method = "POST";
  question.target = std::string(swarm::kPrefix) + torrent_.blob().to_string() + "/lease";
  if (starved) question.target += "?starved=1";
  question.headers.emplace_back(swarm::kMemberHeader, member_);
  question.body = std::move(*wanted);
  question.answers = {202, 204, 206, 404};
  auto answer = co_await origin_.ask(std::move(question));
  if (!answer) co_return Leased::kFailed;
  const int status = (*answer)->head().status();
  if (status == 202) {
    wait_begins_anew(Clock::system().monotonic());
    co_return (*answer)->head().header("retry-after").empty() ? Leased::kComesLater : Leased::kNoneNow;
  }
  if (status == 204) co_return (*answer)->head().header("retry-after").empty() ? Leased::kNoneNow : Leased::kCrosses;
  if (status == 404) {
    if (ending_ == Ending::kNone) begin_anew();
    co_return Leased::kNothingMissing;
  }
  auto taken = co_await take_lease(**answer);
  co_return taken ? Leased::kTaken : Leased::kFailed;
}

Task<Result<void>> Gathering::take_lease(http::Transfer& answer) {
  const auto range = http::parse_content_range(answer.head().header("content-range"));
  if (!range) co_return range.error();
  std::uint32_t piece = torrent_.pieces_before(range->range.first);
  if (range->total != torrent_.size() || torrent_.offset_of(piece) != range->range.first)
    co_return Error(ErrorKind::kUpstream, "the parent sent what is no piece");
  std::vector<char> bytes;
  while (true) {
    auto got = co_await answer.next();
    if (!got) co_return got.error();
    if (got->empty()) break;
    leased_bytes_ += got->size();
    for (auto rest = got->bytes(); !rest.empty() && piece < torrent_.pieces();) {
      const std::size_t want = torrent_.bytes_of(piece) - bytes.size();
      const auto part = rest.first(std::min(want, rest.size()));
      const std::string_view text = as_text(part);
      bytes.insert(bytes.end(), text.begin(), text.end());
      rest = rest.subspan(part.size());
      if (part.size() < want) continue;
      given_at_[piece] = Clock::system().monotonic();
      if (!transfer_->has(piece)) ++leased_pieces_;
      transfer_->give(piece, std::exchange(bytes, {}));
      ++piece;
    }
  }
  co_return Result<void>();
}

}  // namespace wherry::node
