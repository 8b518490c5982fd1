#include "node/airgap/importer.h"

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/bundle/entries.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"
#include "node/follow/batches.h"
#include "node/follow/follow_rows.h"
#include "node/follow/join.h"
#include "node/follow/membership.h"
#include "node/follow/trusted_keys.h"

namespace wherry::node {

namespace tables = registry::tables;

/// A bundle is of a master's whole state: a project that is not in it was left out by somebody.
constexpr bool kWholeState = true;

Task<Result<std::string>> Importer::run(const std::string& file) {
  auto loaded = co_await load_trusted_keys(storage_.names(), key_, keys_);
  if (!loaded) co_return loaded.error();
  auto finished = co_await finish_unfinished();
  if (!finished) co_return finished.error();
  auto present = co_await feed::head(storage_.names());
  if (!present) co_return present.error();
  at_ = *present;
  auto bundle = co_await bundle::BundleReader::open(file, disk_);
  if (!bundle) co_return bundle.error();
  bundle::Content content(**bundle, storage_);
  auto imported = co_await import(**bundle, content);
  if (!imported) co_return imported.error();
  const feed::Head now = newer_ ? (*bundle)->names().last_head().value_or(at_) : at_;
  const auto& counts = content.counts();
  if (!newer_ && counts.manifests == 0 && counts.blobs == 0)
    co_return fmt::format("nothing is new: this node is at position {} of epoch {} already", now.position, now.epoch);
  co_return fmt::format("position {} of epoch {}: {} manifests and {} blobs ({} bytes) are new here", now.position,
                        now.epoch, counts.manifests, counts.blobs, counts.bytes);
}

Task<Result<void>> Importer::finish_unfinished() {
  Join join(storage_, space_, keys_, false, kWholeState);
  auto unfinished = co_await join.unfinished();
  if (!unfinished) co_return unfinished.error();
  if (!*unfinished) co_return Result<void>();
  co_return co_await join.resume(**unfinished);
}

Task<Result<void>> Importer::import(bundle::BundleReader& bundle, bundle::Content& content) {
  const bundle::Content::Wanted wanted = [this](const RepositoryName& repository, const Digest& manifest) {
    return is_wanted(repository, manifest);
  };
  auto right = co_await take_names(bundle);
  if (right) right = co_await content.take();
  if (right) right = co_await content.complete(wanted);
  if (!right) {
    co_await content.drop();
    auto dropped = co_await drop_staged();
    if (!dropped) log::warn("what was staged of a bundle stays", {{"why", dropped.error().to_string()}});
    co_return right;
  }
  auto kept = co_await keep_content(content);
  if (!kept) co_return kept;
  if (newer_) co_return co_await put_names(bundle);
  co_return co_await drop_staged();
}

Task<Result<void>> Importer::take_names(bundle::BundleReader& bundle) {
  if (bundle.is_whole()) co_return co_await take_snapshot(bundle);
  co_return co_await take_feed(bundle);
}

Task<Result<void>> Importer::take_snapshot(bundle::BundleReader& bundle) {
  feed::SnapshotIntake intake(storage_.names(), keys_, key_.empty(), kWholeState);
  auto dropped = co_await intake.drop();  // of a stream that broke off
  if (!dropped) co_return dropped;
  const feed::NextPiece next = [&bundle] { return bundle.next_piece(); };
  // Names that are older than those here are fine: then the bundle may still bring content.
  const feed::SnapshotIntake::Admit admit = [this](const feed::Head& base) -> Result<void> {
    if (base.epoch >= at_.epoch) return {};
    return Error(ErrorKind::kInvalid, "the bundle is of epoch {}, and this node in epoch {}", base.epoch, at_.epoch);
  };
  feed::SnapshotIntake::Progress anew;
  auto head = co_await intake.take(next, anew, admit);
  if (!head) co_return head.error();
  const bool same_epoch = head->head.epoch == at_.epoch;
  newer_ = !same_epoch || head->head.position > at_.position;
  snapshot_ = std::move(*head);
  if (!same_epoch) co_return Result<void>();
  co_return co_await check_history(snapshot_->head);
}

Task<Result<void>> Importer::take_feed(bundle::BundleReader& bundle) {
  feed::Verifier verifier(at_, keys_, key_.empty());
  const feed::NextPiece next = [&bundle] { return bundle.next_piece(); };
  const bundle::EachBatches later = [](std::vector<feed::Batch>) -> Task<Result<void>> { co_return Result<void>(); };
  auto taken = co_await bundle::take_entries(next, verifier, later);
  if (!taken) co_return taken;
  newer_ = verifier.at() != at_;
  if (newer_) co_return Result<void>();
  co_return co_await check_history(*bundle.names().last_head());
}

/// Of the same epoch, a head at or before the place of this node is one of its own log; as far back as that goes.
Task<Result<void>> Importer::check_history(const feed::Head& head) {
  auto known = co_await feed::chain_at(storage_.names(), head.position);
  if (!known) co_return known.error();
  const bool other = (*known && **known != head.chain) || (head.position == at_.position && head.chain != at_.chain);
  if (!other) co_return Result<void>();
  co_return Error(ErrorKind::kInvalid,
                  "the bundle is of another history than this node's, at position {} already; if the master was "
                  "restored from a backup, raise its epoch (wherry-master epoch) and export again",
                  head.position);
}

Task<Result<bool>> Importer::is_wanted(const RepositoryName& repository, const Digest& manifest) {
  if (newer_) co_return true;
  auto row = co_await storage_.names().get(feed::state_manifest_key(repository.text(), manifest));
  if (!row) co_return row.error();
  co_return row->has_value();
}

Task<Result<void>> Importer::keep_content(bundle::Content& content) {
  std::string now;
  append_be64(now, static_cast<std::uint64_t>(to_millis(Clock::system().wall())));
  const bundle::Content::Enter enter = [&now](kv::Transaction& transaction,
                                              const RepositoryName& repository) -> Result<void> {
    const std::string key = tables::repository_key(repository);
    auto there = transaction.exists(key);
    if (!there) return there.error();
    if (!*there) transaction.put(key, now);
    return {};
  };
  const bundle::Content::Put put = [](kv::Transaction& transaction, const RepositoryName& repository,
                                      const Digest& digest, const Manifest& manifest, std::string_view bytes) {
    return registry::put_manifest(transaction, repository, digest, manifest, bytes);
  };
  co_return co_await content.keep(enter, put);
}

Task<Result<void>> Importer::put_names(bundle::BundleReader& bundle) {
  if (snapshot_) {
    Join join(storage_, space_, keys_, false, kWholeState);
    co_return co_await join.swap(*snapshot_, Membership::kAllProjects);
  }
  feed::Verifier verifier(at_, keys_, false);
  std::uint64_t offset = 0;
  const auto read_on = [](bundle::BundleReader& from, std::uint64_t& at) -> Task<Result<Buffer>> {
    auto piece = co_await from.piece_again(at);
    if (piece) at += piece->size();
    co_return piece;
  };
  const feed::NextPiece next = [&] { return read_on(bundle, offset); };
  const bundle::EachBatches each = [this](std::vector<feed::Batch> batches) { return apply(std::move(batches)); };
  co_return co_await bundle::take_entries(next, verifier, each);
}

Task<Result<void>> Importer::apply(std::vector<feed::Batch> batches) {
  const feed::PublicKey* signer = keys_.find(batches.back().head.key_id);
  auto applied = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<feed::Head> {
    auto end = apply_batches(transaction, space_, batches);
    if (!end) return end;
    transaction.put(rows::complete_key(), {});
    if (signer != nullptr) transaction.put(rows::pinned_key(), signer->raw());
    return end;
  });
  if (!applied) co_return applied.error();
  at_ = *applied;
  co_return Result<void>();
}

Task<Result<void>> Importer::drop_staged() {
  if (!snapshot_) co_return Result<void>();
  feed::SnapshotIntake intake(storage_.names(), keys_, false, kWholeState);
  co_return co_await intake.drop();
}

}  // namespace wherry::node
