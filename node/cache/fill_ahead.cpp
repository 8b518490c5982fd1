#include "node/cache/fill_ahead.h"

#include "common/base/log.h"
#include "common/feed/state.h"
#include "common/kv/for_each_row.h"

namespace wherry::node {

using feed::FillAheadPolicy;

namespace {

constexpr const char* kImagesHelp = "Images that a policy of the master wanted here before anybody asked";

}  // namespace

FillAhead::FillAhead(kv::KeyValue& store, Prefetch& prefetch, Prefetch::Get get, std::function<std::string()> name,
                     Metrics& metrics)
    : store_(store),
      prefetch_(prefetch),
      get_(std::move(get)),
      name_(std::move(name)),
      brought_(metrics.counter("wherry_fill_ahead_images_total", kImagesHelp, "outcome", "brought")),
      failed_(metrics.counter("wherry_fill_ahead_images_total", kImagesHelp, "outcome", "failed")),
      given_up_(metrics.counter("wherry_fill_ahead_images_total", kImagesHelp, "outcome", "given-up")) {}

Task<Result<void>> FillAhead::start() {
  const std::string prefix = feed::state_policies_prefix() + std::string(FillAheadPolicy::kPrefix);
  const kv::VisitRow take = [&](std::string_view key, std::string_view json) -> Result<void> {
    take_policy(std::string(key.substr(prefix.size())), std::string(json));
    return {};
  };
  co_return co_await kv::for_each_row(store_, prefix, take);
}

Task<void> FillAhead::stop() {
  stopping_ = true;
  waiting_.clear();
  for (Sleeper* each : asleep_) each->wake();
  co_await scope_.join();
}

void FillAhead::take_policy(const std::string& name, const std::string& json) {
  auto policy = FillAheadPolicy::parse(json);
  if (policy)
    policies_.insert_or_assign(name, std::move(*policy));
  else
    log::warn("a fill-ahead policy cannot be read", {{"policy", name}, {"why", policy.error().message()}});
}

void FillAhead::applied(const feed::Change& change) {
  if (change.kind() == feed::ChangeKind::kTagSet) {
    const auto repository = RepositoryName::parse(change.repository());
    if (!repository || policies_.empty()) return;
    const std::string node = name_();
    for (const auto& [name, policy] : policies_)
      if (policy.fits(change.repository(), change.tag(), node))
        return want(Wanted{*repository, *change.digest(), policy.platforms});
    return;
  }
  if (!std::string_view(change.tag()).starts_with(FillAheadPolicy::kPrefix)) return;
  const std::string name = change.tag().substr(FillAheadPolicy::kPrefix.size());
  if (change.kind() == feed::ChangeKind::kPolicySet) take_policy(name, change.payload());
  if (change.kind() == feed::ChangeKind::kPolicyRemoved) policies_.erase(name);
}

void FillAhead::want(Wanted wanted) {
  if (stopping_) return;
  if (waiting_.size() >= kMostWaiting) {
    waiting_.pop_front();
    given_up_.add();
  }
  waiting_.push_back(std::move(wanted));
  if (scope_.running() < kAtOnce) scope_.spawn(work());
}

Task<void> FillAhead::work() {
  co_await Loop::current().yield();
  Sleeper sleeper;
  asleep_.push_back(&sleeper);
  while (!waiting_.empty() && !stopping_) {
    const Wanted wanted = std::move(waiting_.front());
    waiting_.pop_front();
    Result<void> done;
    auto pause = kPause;
    for (int attempt = 0; attempt < kAttempts && !stopping_; ++attempt) {
      done = co_await prefetch_.bring(wanted.repository, wanted.digest, wanted.platforms, get_);
      if (done || stopping_) break;
      co_await sleeper.sleep(pause);
      pause *= 2;
    }
    (done ? brought_ : failed_).add();
    if (!done && !stopping_)
      log::warn("an image could not be brought ahead", {{"repository", wanted.repository.text()},
                                                        {"digest", wanted.digest.to_string()},
                                                        {"why", done.error().to_string()}});
  }
  std::erase(asleep_, &sleeper);
}

}  // namespace wherry::node
