#include "master/airgap/importer.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/bundle/entries.h"
#include "common/feed/log.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "master/registry/changes.h"

namespace wherry::master {
namespace {

namespace tables = registry::tables;

/// A bundle is of a master's whole state: a project that is not in it was left out by somebody.
constexpr bool kWholeState = true;

/// Fi raw key -> epoch, position and chain up to which that source's names were taken
constexpr std::string_view kSourcesPrefix = "Fi";

std::string encode_place(const feed::Head& head) {
  std::string row;
  append_be64(row, head.epoch);
  append_be64(row, head.position);
  return row.append(as_text(head.chain));
}

Result<feed::Head> decode_place(std::string_view row) {
  const auto epoch = take_be64(row);
  const auto position = take_be64(row);
  if (!epoch || !position || row.size() != sizeof(feed::Hash))
    return Error(ErrorKind::kCorrupt, "the row of an imported source is damaged");
  return feed::Head{*position, *epoch, feed::to_hash(row)};
}

}  // namespace

Task<Result<std::string>> Importer::run(const std::string& file) {
  auto found = co_await find_source();
  if (!found) co_return found.error();
  auto bundle = co_await bundle::BundleReader::open(file, disk_);
  if (!bundle) co_return bundle.error();
  bundle::Content content(**bundle, storage_);
  const bundle::Content::Wanted wanted = [this](const RepositoryName& repository, const Digest& manifest) {
    return is_wanted(repository, manifest);
  };
  auto right = co_await take_names(**bundle);
  if (right) right = co_await content.take();
  if (right) right = co_await content.complete(wanted);
  if (!right) co_await content.drop();
  auto dropped = co_await drop_staged();
  if (!right) co_return right.error();
  if (!dropped) co_return dropped.error();
  auto kept = co_await keep_content(content);
  if (kept && newer_) kept = co_await put_names((*bundle)->names(), (*bundle)->is_whole());
  if (!kept) co_return kept.error();
  const auto& counts = content.counts();
  if (!newer_ && counts.manifests == 0 && counts.blobs == 0)
    co_return fmt::format("nothing is new: position {} of epoch {} of that master was taken already", at_.position,
                          at_.epoch);
  co_return fmt::format(
      "up to position {} of epoch {} of that master: {} manifests and {} blobs ({} bytes) are new here, {} tags were "
      "set, {} names removed",
      now_.position, now_.epoch, counts.manifests, counts.blobs, counts.bytes, tags_, removed_);
}

Task<Result<void>> Importer::find_source() {
  auto page = co_await storage_.names().scan(kv::ScanRequest(std::string(kSourcesPrefix)));
  if (!page) co_return page.error();
  if (!key_.empty()) {
    auto key = feed::PublicKey::from_hex(key_);
    if (!key) co_return key.error();
    source_ = key->raw();
  } else if (page->entries.size() > 1) {
    co_return Error(ErrorKind::kUnsupported,
                    "bundles of several masters were imported here: say by --key whose this is");
  } else if (!page->entries.empty()) {
    source_ = page->entries.front().first.substr(kSourcesPrefix.size());
  }
  if (source_.empty()) co_return Result<void>();
  auto trusted = feed::PublicKey::from_raw(source_);
  if (!trusted) co_return Error(ErrorKind::kCorrupt, "the row of an imported source is damaged");
  keys_.add(std::move(*trusted));
  for (const auto& [key, row] : page->entries) {
    if (std::string_view(key).substr(kSourcesPrefix.size()) != source_) continue;
    auto place = decode_place(row);
    if (!place) co_return place.error();
    at_ = *place;
  }
  co_return Result<void>();
}

Task<Result<void>> Importer::take_names(bundle::BundleReader& bundle) {
  if (bundle.is_whole()) co_return co_await take_snapshot(bundle);
  co_return co_await take_feed(bundle);
}

Task<Result<void>> Importer::take_snapshot(bundle::BundleReader& bundle) {
  feed::SnapshotIntake intake(storage_.names(), keys_, source_.empty(), kWholeState);
  auto dropped = co_await intake.drop();
  if (!dropped) co_return dropped;
  const feed::NextPiece next = [&bundle] { return bundle.next_piece(); };
  const feed::SnapshotIntake::Admit admit = [this](const feed::Head& base) -> Result<void> {
    if (base.epoch >= at_.epoch) return {};
    return Error(ErrorKind::kInvalid, "the bundle is of epoch {}, and epoch {} of that master was taken already",
                 base.epoch, at_.epoch);
  };
  feed::SnapshotIntake::Progress anew;
  auto head = co_await intake.take(next, anew, admit);
  if (!head) co_return head.error();
  co_return note_place(head->head);
}

Task<Result<void>> Importer::take_feed(bundle::BundleReader& bundle) {
  feed::Verifier verifier(at_, keys_, source_.empty());
  const feed::NextPiece next = [&bundle] { return bundle.next_piece(); };
  const bundle::EachBatches later = [](std::vector<feed::Batch>) -> Task<Result<void>> { co_return Result<void>(); };
  auto taken = co_await bundle::take_entries(next, verifier, later);
  if (!taken) co_return taken;
  const bool on = verifier.at() != at_;
  co_return note_place(on ? verifier.at() : *bundle.names().last_head());
}

Result<void> Importer::note_place(const feed::Head& head) {
  now_ = head;
  newer_ = head.epoch > at_.epoch || head.position > at_.position;
  if (source_.empty() && !keys_.empty()) source_ = keys_.all().front().raw();
  if (head.position != at_.position || at_.position == 0 || head.epoch != at_.epoch || head.chain == at_.chain)
    return {};
  return Error(ErrorKind::kInvalid, "the bundle is of another history than the one that was taken up to position {}",
               at_.position);
}

Task<Result<bool>> Importer::is_wanted(const RepositoryName& repository, const Digest& manifest) {
  if (newer_) co_return true;
  auto row = co_await storage_.names().get(tables::manifest_key(repository, manifest));
  if (!row) co_return row.error();
  co_return row->has_value();
}

Task<Result<void>> Importer::keep_content(bundle::Content& content) {
  const WallTime now = Clock::system().wall();
  const bundle::Content::Enter enter = [now](kv::Transaction& transaction, const RepositoryName& repository) {
    return ensure_repository(transaction, repository, now);
  };
  const bundle::Content::Put put = [now](kv::Transaction& transaction, const RepositoryName& repository,
                                         const Digest& digest, const Manifest& manifest,
                                         std::string_view bytes) -> Result<bool> {
    auto there = transaction.exists(tables::manifest_key(repository, digest));
    if (!there) return there;
    auto stored = store_manifest(transaction, repository, digest, manifest, bytes, {}, now);
    if (!stored) return stored.error();
    return !*there;
  };
  co_return co_await content.keep(enter, put);
}

/// Tags first: a manifest that is deleted takes those with it that still name it.
Task<Result<void>> Importer::put_names(const bundle::Names& names, bool whole) {
  std::vector<Step> steps;
  for (const auto& [repository, said] : names.repositories())
    for (const auto& [tag, digest] : said.tags) {
      if (!Tag::parse(tag)) continue;  // no client can ask for it
      if (digest)
        steps.push_back({Step::Kind::kSetTag, repository, tag, digest});
      else if (!whole)
        steps.push_back({Step::Kind::kRemove, repository, tag, std::nullopt});
    }
  for (const auto& [repository, said] : names.repositories())
    for (const auto& [digest, is_there] : said.manifests)
      if (!is_there && !whole) steps.push_back({Step::Kind::kRemove, repository, {}, digest});
  const WallTime now = Clock::system().wall();
  std::size_t done = 0;
  do {
    const std::size_t end = std::min(done + kChangesAtOnce, steps.size());
    auto put = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
      for (std::size_t i = done; i < end; ++i) {
        auto changed = take_step(transaction, steps[i], now);
        if (!changed) return changed.error();
        if (!*changed) continue;
        ++(steps[i].kind == Step::Kind::kSetTag ? tags_ : removed_);
      }
      if (end == steps.size()) transaction.put(std::string(kSourcesPrefix) + source_, encode_place(now_));
      return {};
    });
    if (!put) co_return put;
    done = end;
  } while (done < steps.size());
  co_return Result<void>();
}

/// True when it changed something.
Result<bool> Importer::take_step(kv::Transaction& transaction, const Step& step, WallTime now) {
  if (step.kind != Step::Kind::kSetTag) {
    auto reference = Reference::parse(step.digest ? step.digest->to_string() : step.tag);
    if (!reference) return reference.error();
    auto removed = remove_reference(transaction, step.repository, *reference, now);
    if (!removed && removed.error().kind() == ErrorKind::kManifestUnknown) return false;
    if (!removed) return removed.error();
    return true;
  }
  auto before = registry::put_tag(transaction, step.repository, step.tag, *step.digest);
  if (!before) return before.error();
  if (*before == step.digest) return false;
  auto appended = feed::append(transaction, feed::Change::tag_set(step.repository.text(), step.tag, *step.digest, now));
  if (!appended) return appended.error();
  return true;
}

Task<Result<void>> Importer::drop_staged() {
  feed::SnapshotIntake intake(storage_.names(), keys_, false, kWholeState);
  co_return co_await intake.drop();
}

}  // namespace wherry::master
