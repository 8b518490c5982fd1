// The half of Run that does one task.
#include <algorithm>

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/oci/excerpt.h"
#include "master/replication/copier.h"
#include "master/replication/run.h"

namespace wherry::replication {

bool is_transient(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUpstream:
    case ErrorKind::kUpstreamFailed:
    case ErrorKind::kUpstreamLimited:
    case ErrorKind::kTimeout:
    case ErrorKind::kUnavailable:
    case ErrorKind::kNoSpace:
    case ErrorKind::kClosed:
    case ErrorKind::kRangeInvalid:
    case ErrorKind::kUploadUnknown: return true;
    default: return false;
  }
}

Task<Result<void>> Run::perform(TaskRecord task) {
  const bool is_copy = task.kind == TaskKind::kCopy;
  ++running_;
  if (is_copy) ++copies_running_;
  task.state = State::kRunning;
  task.started = clock_.wall();
  task.not_before.reset();
  ++task.attempts;
  std::uint64_t counted = task.bytes;
  const std::uint64_t blobs = task.blobs;
  const std::uint64_t manifests = task.manifests;
  auto kept = co_await save(task, counted, true);
  Result<bool> done = Error(ErrorKind::kInternal, "not done");
  if (kept) done = co_await attempt(task, counted);
  execution_.progress.blobs += task.blobs - blobs;
  execution_.progress.manifests += task.manifests - manifests;
  if (done) {
    task.state = *done ? State::kSucceeded : State::kSkipped;
    ++(*done ? execution_.progress.succeeded : execution_.progress.skipped);
    counters_.succeeded.add();
  } else if (gate_.is_shut()) {
    task.state = execution_.stop_asked ? State::kStopped : State::kWaiting;
    --task.attempts;
  } else if (!gate_.in_window()) {
    task.state = State::kWaiting;
    --task.attempts;
  } else {
    task.error = printable(done.error().to_string(), TaskRecord::kMaxErrorBytes);
    if (is_transient(done.error()) && task.attempts < kMaxAttempts) {
      task.state = State::kWaiting;
      task.not_before = clock_.wall() + pause_after(done.error(), task.attempts);
      counters_.retried.add();
    } else {
      task.state = State::kFailed;
      ++execution_.progress.failed;
      counters_.failed.add();
      log::warn("a task of a replication failed", {{"policy", execution_.policy_name},
                                                   {"repository", task.target},
                                                   {"tag", task.tag},
                                                   {"error", done.error().to_string()}});
    }
  }
  if (is_over(task.state)) task.ended = clock_.wall();
  if (kept) kept = co_await save(task, counted, false);
  if (task.state == State::kWaiting) later_.push_back(std::move(task));
  if (is_copy) --copies_running_;
  --running_;
  co_return kept;
}

Task<Result<bool>> Run::attempt(TaskRecord& task, std::uint64_t& counted) {
  if (task.kind == TaskKind::kCopy) {
    const Copier::Save saving = [this, &task, &counted] { return save(task, counted, true); };
    Copier copier(source_, target_, policy_.destination, gate_, shared_, task, saving);
    co_return co_await copier.copy();
  }
  auto repository = RepositoryName::parse(task.target);
  if (!repository) co_return repository.error();
  auto source = RepositoryName::parse(task.repository);
  if (!source) co_return source.error();
  auto reference = Reference::parse(task.kind == TaskKind::kDeleteTag ? task.tag : task.digest);
  if (!reference) co_return reference.error();
  // It may have come back since the plan was made.
  auto still = co_await source_.resolve(*source, *reference);
  if (!still) co_return still.error();
  if (*still) co_return false;
  if (task.kind == TaskKind::kDeleteTag) co_return co_await remove_tag(*source, *repository, *reference);
  auto removed = co_await target_.remove(*repository, *reference);
  if (!removed) co_return removed.error();
  ++task.manifests;
  co_return true;
}

/// Some registries delete manifests alone, and with them all their tags: that is done where no other tag is meant.
Task<Result<bool>> Run::remove_tag(const RepositoryName& source, const RepositoryName& repository,
                                   const Reference& reference) {
  auto removed = co_await target_.remove(repository, reference);
  if (removed) co_return true;
  if (removed.error().kind() != ErrorKind::kUnsupported) co_return removed.error();
  auto digest = co_await target_.resolve(repository, reference);
  if (!digest) co_return digest.error();
  if (!*digest) co_return true;
  std::string last;
  while (true) {
    auto page = co_await target_.tags(repository, last);
    if (!page) co_return page.error();
    for (const std::string& name : page->names()) {
      auto tag = Tag::parse(name);
      if (!tag || name == reference.to_string()) continue;
      const Reference other(std::move(*tag));
      auto same = co_await target_.resolve(repository, other);
      if (!same) co_return same.error();
      if (*same == **digest)
        co_return Error(ErrorKind::kUnsupported,
                        "{} removes manifests, not tags, and {} still names the one of {}: delete it there by hand",
                        target_.name(), name, reference.to_string());
    }
    if (!page->more() || page->names().empty()) break;
    last = page->names().back();
  }
  const Reference by_digest(**digest);
  removed = co_await target_.remove(repository, by_digest);
  if (!removed) co_return removed.error();
  // The manifest itself may still be at the source, without that tag.
  auto still = co_await source_.manifest(source, by_digest);
  if (!still && still.error().kind() == ErrorKind::kManifestUnknown) co_return true;
  if (!still) co_return still.error();
  auto put = co_await target_.put_manifest(repository, by_digest, **digest, still->media_type(), still->bytes());
  if (!put) co_return put.error();
  co_return true;
}

/// Keeps a task, and with it how far the execution is; `counted` are the bytes of it that the execution has already.
Task<Result<void>> Run::save(TaskRecord& task, std::uint64_t& counted, bool lazy) {
  const std::uint64_t more = task.bytes - counted;
  counted = task.bytes;
  execution_.progress.bytes += more;
  counters_.bytes.add(more);
  co_return co_await history_.put_task(execution_, task, lazy);
}

std::chrono::milliseconds Run::pause_after(const Error& error, std::uint64_t attempts) const {
  auto pause = kFirstPause;
  for (std::uint64_t i = 1; i < attempts && pause < kLongestPause; ++i) pause *= 2;
  pause = jittered(std::min(pause, kLongestPause));
  if (error.retry_after())
    pause = std::max<std::chrono::milliseconds>(pause, std::min(*error.retry_after(), kLongestAskedPause));
  return pause;
}

}  // namespace wherry::replication
