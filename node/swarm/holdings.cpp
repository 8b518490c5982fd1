#include "node/swarm/holdings.h"

#include <fcntl.h>

#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/http/uri.h"
#include "common/kv/for_each_row.h"
#include "common/registry/tables.h"
#include "common/store/blob_row.h"
#include "common/swarm/introduction.h"
#include "common/upstream/upstream.h"

namespace wherry::node {
namespace {

namespace tables = registry::tables;

constexpr std::chrono::milliseconds kTellAgain{3'000};  // then twice that, ...
constexpr std::chrono::milliseconds kTellAgainMost{60'000};
constexpr std::chrono::milliseconds kBetweenCalls{100};
constexpr std::size_t kMostAnswerBytes = std::size_t{1} << 16;

}  // namespace

Holdings::Holdings(registry::Storage& storage, const Upstreams& upstreams, Swarms& swarms, const SwarmOptions& options)
    : storage_(storage),
      upstreams_(upstreams),
      swarms_(swarms),
      site_(options.session.site),
      least_bytes_(std::max(options.introducer.min_bytes, swarm::kLeastBytes)) {}

void Holdings::start() {
  if (swarms_.takes_part() && upstreams_.parent() != nullptr) scope_.spawn(run());
}

void Holdings::cancel() {
  stopping_ = true;
  sleeper_.wake();
}

Task<void> Holdings::stop() {
  cancel();
  co_await scope_.join();
}

void Holdings::add(const Digest& digest, std::uint64_t size_bytes) {
  if (size_bytes < least_bytes_ || !swarms_.takes_part()) return;
  const std::lock_guard lock(mutex_);
  if (held_.size() < kMost && held_.insert(digest).second) changes_[digest] = true;
}

void Holdings::remove(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  if (held_.erase(digest) > 0) changes_[digest] = false;
}

Task<void> Holdings::run() {
  std::chrono::milliseconds away = kTellAgain;
  bool is_loaded = false;
  while (!stopping_) {
    const bool went_well = co_await tell();  // at first that this process is another one, and nothing else
    if (!went_well) {
      if (away == 2 * kTellAgain)  // the first time may be before it has joined
        log::info("the parent cannot be told what this node could give to its neighbours", {});
      if (!stopping_) co_await sleeper_.sleep(jittered(away));
      away = std::min(2 * away, kTellAgainMost);
      continue;
    }
    away = kTellAgain;
    if (!std::exchange(is_loaded, true)) co_await load();
    do {  // another one that has this node's name would end each call at once
      if (!stopping_) co_await sleeper_.sleep(kBetweenCalls);
    } while (is_empty() && !stopping_);
  }
}

/// What was here before this process.
Task<void> Holdings::load() {
  const kv::VisitRow visit = [this](std::string_view key, std::string_view value) -> Result<void> {
    const auto digest = Digest::from_binary(key.substr(tables::blobs_prefix().size()));
    const auto row = store::BlobRow::decode(value);
    if (digest && row) add(*digest, row->size());
    return {};
  };
  auto loaded = co_await kv::for_each_row(storage_.names(), tables::blobs_prefix(), visit);
  if (!loaded) log::warn("what is held cannot be told", {{"error", loaded.error().to_string()}});
}

std::vector<Digest> Holdings::next_changes(std::string& lines) {
  std::vector<Digest> taken;
  const std::lock_guard lock(mutex_);
  while (taken.size() < kToldAtOnce && !changes_.empty()) {
    const auto first = changes_.begin();
    lines.append(first->second ? "+" : "-").append(first->first.to_string()).push_back('\n');
    taken.push_back(first->first);
    changes_.erase(first);
  }
  return taken;
}

void Holdings::put_back(const std::vector<Digest>& changes) {
  const std::lock_guard lock(mutex_);
  for (const Digest& digest : changes) changes_[digest] = held_.contains(digest);
}

bool Holdings::has_changes() {
  const std::lock_guard lock(mutex_);
  return !changes_.empty();
}

bool Holdings::is_empty() {
  const std::lock_guard lock(mutex_);
  return held_.empty() && changes_.empty();
}

bool Holdings::holds(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  return held_.contains(digest);
}

void Holdings::tell_all_again() {
  const std::lock_guard lock(mutex_);
  changes_.clear();
  for (const Digest& digest : held_) changes_[digest] = true;
}

Task<bool> Holdings::tell() {
  std::string lines;
  std::vector<Digest> told;
  if (!told_.empty()) told = next_changes(lines);
  Question question;
  question.method = "POST";
  question.target = fmt::format("{}holdings?site={}&life={}&told={}&wait={}", swarm::kPrefix,
                                http::percent_encode(site_), life_, http::percent_encode(told_), has_changes() ? 0 : 1);
  question.body = std::move(lines);
  question.answers = {200};
  question.patient = false;
  auto answer = co_await upstreams_.parent()->ask(std::move(question));
  std::string text;
  if (answer) {
    auto read = co_await (*answer)->read_whole(kMostAnswerBytes);
    if (read) text = std::move(*read);
  }
  std::string_view rest = text;
  const std::string_view life = take_line(rest);
  if (life.empty()) {
    put_back(told);
    co_return false;
  }
  if (life != told_) {  // it knows nothing yet, or not any more
    told_ = life;
    tell_all_again();
    co_return true;
  }
  while (!rest.empty())
    if (const auto digest = Digest::parse(take_line(rest))) scope_.spawn(wake(*digest));
  co_return true;
}

Task<void> Holdings::wake(Digest digest) {
  if (!waking_.insert(digest).second) co_return;
  Semaphore::Held turn = co_await turns_.take();
  Result<void> given;
  if (!stopping_ && !swarms_.shares(digest)) given = co_await give(digest);
  waking_.erase(digest);
  if (!holds(digest)) swarms_.drop(digest);  // it was evicted meanwhile
  if (given || stopping_) co_return;
  const ErrorKind kind = given.error().kind();
  if (kind == ErrorKind::kBlobUnknown || kind == ErrorKind::kIo) remove(digest);  // the parent is to know
  log::info("a blob that a neighbour wants is not given",
            {{"digest", digest.to_string()}, {"why", given.error().to_string()}});
}

Task<Result<void>> Holdings::give(const Digest& digest) {
  auto repository = co_await repository_of(digest);
  if (!repository) co_return repository.error();
  auto remote = upstreams_.remote(*repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  auto invitation = co_await upstream.invitation(remote->repository(), digest, Upstream::InvitationOf::kSwarm);
  if (!invitation) co_return invitation.error();
  const std::string path = storage_.blobs().layout().blob(digest);
  UniqueFd file;
  auto opened = co_await storage_.blobs().pool().run([&]() -> Result<void> {
    file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file) return system_error(errno, "open a blob's file");
    return {};
  });
  if (!opened) co_return opened.error();
  const SharedAs shared{*repository, digest};
  co_return co_await swarms_.give(remote->origin(), *invitation, shared, std::move(file));
}

/// One that it is held for, of the parent's.
Task<Result<RepositoryName>> Holdings::repository_of(const Digest& digest) const {
  const std::string prefix = tables::holders_prefix(digest);
  auto page = co_await storage_.names().scan(kv::ScanRequest(prefix));
  if (!page) co_return page.error();
  for (const auto& [key, value] : page->entries) {
    auto repository = RepositoryName::parse(std::string_view(key).substr(prefix.size()));
    if (!repository) continue;
    auto remote = upstreams_.remote(*repository);
    if (remote && &remote->origin() == upstreams_.parent()) co_return repository;
  }
  co_return Error(ErrorKind::kBlobUnknown, "no repository of the parent's holds it here");
}

}  // namespace wherry::node
