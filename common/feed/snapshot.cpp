#include "common/feed/snapshot.h"

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/feed/key_records.h"

namespace wherry::feed {
namespace {

constexpr std::size_t kRowsOfAPage = 1000;

void append_head(std::string& out, const Head& head, WallTime time, const SigningKey& key) {
  append_record(out, RecordKind::kHead, SignedHead::sign(head, time, key).encode());
}

Task<Result<void>> send_rows(kv::KeyValue& store, const std::string& after_row, const Visibility& visibility,
                             const SendPiece& send) {
  bool skipping = !after_row.empty();
  for (const std::string& prefix : state_prefixes()) {
    if (skipping && !after_row.starts_with(prefix)) continue;
    std::string after = skipping ? after_row : std::string();
    skipping = false;
    for (bool more = true; more;) {
      auto page = co_await store.scan(kv::ScanRequest(prefix, after, kRowsOfAPage));
      if (!page) co_return page.error();
      std::string out;
      for (const auto& [key, value] : page->entries) {
        if (!visibility.sees(project_of_row(key).value_or(std::string_view()))) continue;
        std::string row;
        append_text(row, key);
        append_text(row, value);
        append_record(out, RecordKind::kRow, row);
      }
      more = page->more && !page->entries.empty();
      if (more) after = page->entries.back().first;
      auto sent = co_await send(out);
      if (!sent) co_return sent;
    }
  }
  co_return Result<void>();
}

/// The head and the digests of one moment.
struct Moment {
  Head head;
  ProjectDigests projects;
};

Task<Result<Moment>> moment_of(kv::KeyValue& store) {
  co_return co_await store.transact([](kv::Transaction& transaction) -> Result<Moment> {
    auto present = head(transaction);
    if (!present) return present.error();
    auto projects = project_digests(transaction);
    if (!projects) return projects.error();
    return Moment{*present, std::move(*projects)};
  });
}

struct Base {
  Head head;
  WallTime time{};  // when that was the newest
};

/// What may be signed as the base of a snapshot: the present head, or one that this log has had. What a follower says
/// is never signed because it says so. Errors: kNotFound when it is not in the log (any more).
Task<Result<Base>> known_base(kv::KeyValue& store, Head present, std::optional<Head> stated) {
  if (!stated || *stated == present) co_return Base{present, Clock::system().wall()};
  const Error unknown(ErrorKind::kNotFound, "the log has no such head (any more)");
  if (stated->position == 0 || stated->position > present.position) co_return unknown;
  auto entries = co_await read(store, stated->position, 1);
  if (!entries) co_return entries.error();
  if (entries->compacted || entries->list.empty()) co_return unknown;
  const Entry& entry = entries->list.front();
  if (!entry.change()) co_return unknown;
  const Head had{entry.position(), entry.change()->epoch(), entry.chain()};
  if (had != *stated) co_return unknown;
  co_return Base{had, entry.change()->time()};
}

}  // namespace

Task<Result<void>> write_snapshot(kv::KeyValue& store, const SigningKey& key, SnapshotStart start,
                                  Visibility visibility, SendPiece send) {
  auto out = co_await key_records(store);
  if (!out) co_return out.error();
  auto present = co_await head(store);
  if (!present) co_return present.error();
  auto base = co_await known_base(store, *present, start.base);
  if (!base) co_return base.error();
  Head at = base->head;
  append_head(*out, at, base->time, key);
  auto sent = co_await send(*out);
  if (!sent) co_return sent;
  sent = co_await send_rows(store, start.after_row, visibility, send);
  if (!sent) co_return sent;

  out->clear();
  append_record(*out, RecordKind::kRowsEnd, {});
  auto moment = co_await moment_of(store);
  if (!moment) co_return moment.error();
  while (at.position < moment->head.position) {
    const auto left = static_cast<std::size_t>(moment->head.position - at.position);
    auto entries = co_await read(store, at.position + 1, std::min(left, kEntriesOfAHead));
    if (!entries) co_return entries.error();
    if (entries->compacted) co_return Error(ErrorKind::kNotFound, "what came since the snapshot began was compacted");
    if (entries->list.empty()) co_return Error(ErrorKind::kCorrupt, "entries of the feed are missing");
    const Entry& last = entries->list.back();
    at = Head{last.position(), last.change() ? last.change()->epoch() : at.epoch, last.chain()};
    const WallTime time = last.change() ? last.change()->time() : base->time;
    const auto segment = Segment::make(entries->list, SignedHead::sign(at, time, key));
    *out += segment->bytes_for(visibility);
    sent = co_await send(*out);
    if (!sent) co_return sent;
    out->clear();
  }
  append_head(*out, moment->head, Clock::system().wall(), key);
  const std::uint64_t of = moment->projects.size();
  for (const auto& [project, digest] : moment->projects)
    if (visibility.sees(project))
      append_record(*out, RecordKind::kProject, SignedProject::sign(moment->head, project, digest, of, key).encode());
  co_return co_await send(*out);
}

Result<std::string> SnapshotFilter::pass(std::string_view piece) {
  std::string out;
  reader_.feed(piece);
  while (true) {
    auto record = reader_.next();
    if (!record) return record.error();
    if (!*record) return out;
    std::string_view payload = (*record)->payload;
    bool visible = true;
    if ((*record)->kind == RecordKind::kRow) {
      std::string_view row = payload;
      const auto key = take_text(row);
      visible = key && visibility_.sees(project_of_row(*key).value_or(std::string_view()));
    } else if ((*record)->kind == RecordKind::kEntry) {
      const auto change = Change::decode(payload);
      if (!change) return change.error();
      if (!visibility_.sees(change->project())) {
        append_record(out, RecordKind::kHidden, as_text(hash_of(payload)));
        continue;
      }
    } else if ((*record)->kind == RecordKind::kProject) {
      const auto project = SignedProject::decode(payload);
      if (!project) return project.error();
      visible = visibility_.sees(project->project);
    }
    if (visible) append_record(out, (*record)->kind, payload);
  }
}

}  // namespace wherry::feed
