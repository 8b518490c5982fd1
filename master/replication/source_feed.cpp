#include "master/replication/source_feed.h"

#include "common/base/bytes.h"
#include "common/feed/feed_service.h"
#include "common/feed/record.h"

namespace wherry::replication {
namespace {

using feed::FeedService;

constexpr const char* kNoFeed = "the source gives no feed";

/// Of all names, as a list of repositories is; what has no feed says so by one of these statuses.
Question about_feed(std::string target) {
  Question question;
  question.target = std::move(target);
  question.scope = "registry:catalog:*";
  question.headers.emplace_back("Accept", FeedService::kMediaType);
  question.answers = {200, 400, 404, 405, 406, 409, 410, 501};
  return question;
}

bool is_feed(const http::ClientHead& head) {
  return head.status() == 200 && head.header("content-type") == FeedService::kMediaType;
}

/// Whether an error says that there is no feed for us, and not that it could not be asked for. A registry that is not
/// ours may answer a path that it does not know with anything; one that had a feed and fails is asked again.
bool means_no_feed(const Error& error, bool had_contact) {
  return error.kind() == ErrorKind::kDenied || error.kind() == ErrorKind::kNotFound ||
         (!had_contact && error.kind() == ErrorKind::kUpstreamFailed);
}

SourceFeed::Reading without_feed(SourcePlace before, std::string because) {
  before.at.reset();
  return SourceFeed::Reading{std::move(before), std::nullopt, std::move(because)};
}

Result<feed::TrustedKeys> keys_of(const SourcePlace& place) {
  feed::TrustedKeys keys;
  if (place.key.empty()) return keys;
  auto key = feed::PublicKey::from_hex(place.key);
  if (!key) return Error(ErrorKind::kCorrupt, "the stored key of the source's feed is damaged");
  keys.add(std::move(*key));
  return keys;
}

std::string signer_of(const feed::SignedHead& head, const feed::TrustedKeys& keys, std::string before) {
  const feed::PublicKey* signer = keys.find(head.key_id);
  return signer == nullptr ? std::move(before) : signer->to_hex();
}

}  // namespace

Error SourceFeed::unbelievable(const std::string& key, Error how) const {
  return Error(ErrorKind::kInvalid,
               "the feed of {} is not believed, for it has to follow from what key {} signed (was another registry put "
               "there on purpose, remove the policy and make it anew)",
               remote_.url(), key.empty() ? "of the first contact" : key)
      .with_cause(std::move(how));
}

Error SourceFeed::gone_back(const feed::Head& before, const feed::Head& now) const {
  return Error(ErrorKind::kInvalid,
               "the feed of {} has gone back, or has another history: it was read up to position {} of epoch {}, and "
               "is at position {} of epoch {} now; after a restore it needs a new epoch (wherry-master epoch), or run "
               "the policy with --full",
               remote_.url(), before.position, before.epoch, now.position, now.epoch);
}

Task<Result<SourceFeed::Reading>> SourceFeed::read(SourcePlace before, bool may_go_back) {
  if (!before.at)
    co_return co_await begin_anew(std::move(before), "no run of this policy as it is now has succeeded", false, true);
  const feed::Head& at = *before.at;
  Question question = about_feed(fmt::format("{}feed?from={}&epoch={}&chain={}", FeedService::kPrefix, at.position + 1,
                                             at.epoch, to_hex(at.chain)));
  auto stream = co_await remote_.ask(std::move(question));
  if (!stream && means_no_feed(stream.error(), true))
    co_return without_feed(std::move(before), stream.error().message());
  if (!stream) co_return stream.error();
  if (is_feed((*stream)->head())) co_return co_await follow(**stream, std::move(before), may_go_back);
  const int status = (*stream)->head().status();
  stream->reset();
  if (status != 409 && status != 410) co_return without_feed(std::move(before), kNoFeed);
  std::string because = status == 409 ? std::string("the source has another history")
                                      : fmt::format("the source's log does not go back to position {}", at.position);
  co_return co_await begin_anew(std::move(before), std::move(because), status == 409, may_go_back);
}

/// A stream that begins with the head as of which the source answers. A node tells it to who is ahead of it (the
/// snapshot that it hands on is its parent's, and newer); a master refuses that, and its snapshot begins with it.
Task<Result<std::unique_ptr<http::Transfer>>> SourceFeed::ask_for_head() {
  Question question = about_feed(fmt::format("{}feed?from={}", FeedService::kPrefix, INT64_MAX));
  auto stream = co_await remote_.ask(std::move(question));
  if (!stream || (*stream)->head().status() != 409) co_return stream;
  stream->reset();
  question = about_feed(std::string(FeedService::kPrefix) + "snapshot");
  co_return co_await remote_.ask(std::move(question));
}

/// All is to be compared; gives where the source is before that.
Task<Result<SourceFeed::Reading>> SourceFeed::begin_anew(SourcePlace before, std::string because, bool parted,
                                                         bool may_go_back) {
  auto keys = keys_of(before);
  if (!keys) co_return keys.error();
  auto stream = co_await ask_for_head();
  if (!stream && means_no_feed(stream.error(), !before.key.empty()))
    co_return without_feed(std::move(before), stream.error().message());
  if (!stream) co_return stream.error();
  if (!is_feed((*stream)->head())) co_return without_feed(std::move(before), kNoFeed);
  auto head = co_await first_head(**stream, *keys, before.key.empty());
  if (!head && head.error().kind() == ErrorKind::kInvalid) co_return unbelievable(before.key, std::move(head.error()));
  if (!head) co_return head.error();
  const bool same_epoch = before.at && head->head.epoch == before.at->epoch;
  if (before.at && !may_go_back && (is_before(head->head, *before.at) || (parted && same_epoch)))
    co_return gone_back(*before.at, head->head);
  Reading reading;
  reading.place.at = head->head;
  reading.place.key = signer_of(*head, *keys, std::move(before.key));
  reading.because = std::move(because);
  co_return reading;
}

Task<Result<feed::SignedHead>> SourceFeed::first_head(http::Transfer& stream, feed::TrustedKeys& keys,
                                                      bool first_contact) {
  feed::RecordReader reader;
  std::size_t bytes = 0;
  while (true) {
    auto piece = co_await stream.next();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Error(ErrorKind::kInvalid, "it ends before a signed head");
    bytes += piece->size();
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    while (true) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      if ((*record)->kind == feed::RecordKind::kHead) {
        auto head = feed::SignedHead::decode((*record)->payload);
        if (!head) co_return head.error();
        auto right = head->verify(keys);
        if (!right) co_return right.error();
        co_return head;
      }
      if ((*record)->kind != feed::RecordKind::kKey)
        co_return Error(ErrorKind::kInvalid, "it does not begin with a signed head");
      auto key = feed::KeyRecord::decode((*record)->payload);
      if (!key) co_return key.error();
      keys.admit(*key, first_contact);
    }
    if (bytes > kMaxHeadBytes) co_return Error(ErrorKind::kInvalid, "no signed head comes");
  }
}

Task<Result<SourceFeed::Reading>> SourceFeed::follow(http::Transfer& stream, SourcePlace before, bool may_go_back) {
  auto keys = keys_of(before);
  if (!keys) co_return keys.error();
  const feed::Head begin = *before.at;
  feed::Verifier verifier(begin, *keys, false);
  feed::RecordReader reader;
  Changes changes;
  std::string because;
  std::string signer = before.key;
  std::optional<std::uint64_t> until;  // what the source said first is the end: it may go on for ever
  std::size_t bytes = 0;
  while (!until || verifier.at().position < *until) {
    auto piece = co_await stream.next();
    if (!piece) co_return piece.error();
    if (piece->empty()) co_return Error(ErrorKind::kUpstream, "the feed of {} broke off", remote_.url());
    co_await Loop::current().yield();  // what came is some hundred entries
    bytes += piece->size();
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    while (!until || verifier.at().position < *until) {
      auto record = reader.next();
      if (!record) co_return unbelievable(before.key, std::move(record.error()));
      if (!*record) break;
      const bool is_head = (*record)->kind == feed::RecordKind::kHead;
      const auto head = is_head ? feed::SignedHead::decode((*record)->payload) : Result<feed::SignedHead>();
      auto taken = take(**record, verifier, begin, changes, because);
      if (!taken) co_return unbelievable(before.key, std::move(taken.error()));
      if (is_head && head) signer = signer_of(*head, *keys, std::move(signer));
      if (is_head && head && !until) {
        until = head->head.position;
        if (is_before(head->head, begin)) {
          if (!may_go_back) co_return gone_back(begin, head->head);
          because = "the source has gone back";
        }
        if (head->head.epoch != begin.epoch) because = fmt::format("the source is in epoch {}", head->head.epoch);
        if (*until > begin.position + kMaxFeedEntries)
          because = fmt::format("the source is {} entries ahead", *until - begin.position);
      }
      if (because.empty()) continue;
      stream.cancel();
      co_return co_await begin_anew(std::move(before), std::move(because), false, may_go_back);
    }
    if (bytes <= kMaxBytes) continue;
    stream.cancel();
    co_return co_await begin_anew(std::move(before), "the source's feed has grown by too much", false, may_go_back);
  }
  Reading reading;
  reading.place.at = verifier.at();
  reading.place.key = std::move(signer);
  reading.changes = std::move(changes);
  co_return reading;
}

/// Takes a record, and what it closes; `because` says why that cannot be gone on with.
Result<bool> SourceFeed::take(const feed::Record& record, feed::Verifier& verifier, const feed::Head& before,
                              Changes& changes, std::string& because) {
  auto batch = verifier.take(record);
  if (!batch) return batch.error();
  if (!*batch) return false;
  for (const feed::Entry& entry : (*batch)->entries) {
    if (!entry.change()) {
      because = "the source hides part of its feed";
    } else if (entry.change()->epoch() != before.epoch) {
      because = fmt::format("the source is in epoch {}", entry.change()->epoch());
    } else if (wants_(entry.change()->repository())) {
      changes.take(*entry.change());
    }
  }
  if (verifier.at().position > before.position + kMaxFeedEntries) because = "the source is far ahead";
  return true;
}

}  // namespace wherry::replication
