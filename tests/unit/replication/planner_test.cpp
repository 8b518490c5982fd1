#include "master/replication/planner.h"

#include <gtest/gtest.h>

#include "master/replication/copier.h"
#include "tests/unit/replication/memory_side.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"

namespace wherry::replication {
namespace {

using testing::kind_of;
using testing::run_task;

std::string descriptor_text(std::string_view type, const std::string& bytes) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type,
                     Digest::of(DigestAlgorithm::kSha256, bytes).to_string(), bytes.size());
}

/// An image whose only blob is its config.
std::string image(const std::string& config, const std::string& subject = "") {
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","config":{},"layers":[]{}}})", media_type::kOciManifest,
                     descriptor_text(media_type::kOciConfig, config),
                     subject.empty() ? "" : ",\"subject\":" + descriptor_text(media_type::kOciManifest, subject));
}

std::string index_of(const std::vector<std::string>& images) {
  std::string list;
  for (const std::string& each : images)
    list += (list.empty() ? "" : ",") + descriptor_text(media_type::kOciManifest, each);
  return fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}})", media_type::kOciIndex, list);
}

Policy policy_of(const std::string& more = "") {
  auto document = api::Json::parse(R"({"name":"p","direction":"push","remote":{"url":"http://registry.example"}})");
  if (!more.empty()) document.update(api::Json::parse(more));
  return Policy::parse(document).value();
}

struct Planned {
  Result<void> result;
  std::vector<std::string> tasks;
};

Task<Result<void>> take(std::vector<std::string>* tasks, TaskRecord task) {
  tasks->push_back(fmt::format("{} {}:{}", name_of(task.kind), task.target, task.tag.empty() ? "@" : task.tag));
  co_return Result<void>();
}

Task<Planned> plan(Policy policy, MemorySide* source, MemorySide* target,
                   std::optional<std::map<std::string, Touched>> only = std::nullopt,
                   std::vector<std::pair<std::string, Digest>> gone = {}) {
  Planned planned;
  Gate gate({}, nullptr, 0, Clock::system());
  const Planner::Sink sink = [&planned](TaskRecord task) { return take(&planned.tasks, std::move(task)); };
  Planner planner(policy, *source, *target, *source, gate, sink);
  planned.result = co_await planner.plan(only, gone);
  co_return planned;
}

using Names = std::vector<std::string>;

TEST(Planner, WhatDiffersIsATaskAndWhatIsTheSameIsNot) {
  MemorySide source;
  MemorySide target;
  source.put("team/app", image("1"), "same");
  source.put("team/app", image("2"), "moved");
  source.put("team/app", image("3"), "new");
  source.put("other/app", image("4"), "v1");
  target.put("m/app", image("1"), "same");
  target.put("m/app", image("9"), "moved");
  const auto policy = policy_of(
      R"({"filters":{"repositories":["team/*"],"tags":["*"]},"destination":{"strip":"team/","prefix":"m/"}})");
  EXPECT_EQ(run_task(plan(policy, &source, &target)).tasks, (Names{"copy m/app:moved", "copy m/app:new"}));
  const auto kept = policy_of(
      R"({"overwrite":false,"filters":{"repositories":["team/*"],"tags":["*"]},"destination":{"strip":"team/","prefix":"m/"}})");
  EXPECT_EQ(run_task(plan(kept, &source, &target)).tasks, (Names{"copy m/app:new"}));
}

TEST(Planner, DeletionsComeLastAndStayWithinTheFilters) {
  MemorySide source;
  MemorySide target;
  source.put("team/app", image("1"), "v2");
  target.put("team/app", image("1"), "v1");
  target.put("team/app", image("1"), "nightly");
  target.put("team/gone", image("1"), "v1");
  target.put("other/app", image("1"), "v1");
  const auto policy = policy_of(R"({"deletions":true,"filters":{"repositories":["team/**"],"tags":["v*"]}})");
  EXPECT_EQ(run_task(plan(policy, &source, &target)).tasks,
            (Names{"copy team/app:v2", "delete-tag team/app:v1", "delete-tag team/gone:v1"}));
}

TEST(Planner, NothingIsDeletedOnTheWordOfASourceThatShowsNothing) {
  MemorySide source;
  MemorySide target;
  target.put("team/app", image("1"), "v1");
  const auto planned = run_task(plan(policy_of(R"({"deletions":true})"), &source, &target));
  EXPECT_EQ(kind_of(planned.result), ErrorKind::kInvalid);
  EXPECT_TRUE(planned.tasks.empty());
}

TEST(Planner, AfterAPushOnlyWhatTheFeedNamesIsLookedAt) {
  MemorySide source;
  MemorySide target;
  source.put("a", image("1"), "v1");
  source.put("a", image("0"), "older");
  source.put("b", image("2"), "v1");
  const Digest deleted = target.put("a", image("3"));
  const auto policy = policy_of(R"({"deletions":true})");
  std::map<std::string, Touched> only;
  only["a"].tags = {"v1"};
  const std::vector<std::pair<std::string, Digest>> gone{{"a", deleted}};
  EXPECT_EQ(run_task(plan(policy, &source, &target, only, gone)).tasks, (Names{"copy a:v1", "delete-manifest a:@"}));
}

TEST(Planner, APushCostsWhatItChangedAndNotWhatTheRepositoryHolds) {
  MemorySide source;
  MemorySide target;
  for (int i = 0; i < 100; ++i)
    for (MemorySide* side : {&source, &target}) side->put("a", image(std::to_string(i)), fmt::format("v{}", i));
  std::map<std::string, Touched> only;
  only["a"].tags = {"v100", "v7"};
  only["a"].manifests = {source.put("a", image("new"), "v100"), source.put("a", image("signature", image("5"))),
                         source.put("a", image("loose"))};
  source.all["a"].tags.erase("v7");
  target.resolved = 0;
  const auto planned = run_task(plan(policy_of(R"({"deletions":true})"), &source, &target, only)).tasks;
  EXPECT_EQ(std::multiset<std::string>(planned.begin(), planned.end()),
            (std::multiset<std::string>{"copy a:@", "copy a:@", "copy a:v100", "delete-tag a:v7"}));
  EXPECT_LE(target.resolved, 6);
  const auto some = policy_of(R"({"filters":{"tags":["v5*"]}})");  // whose signature it is, the repository tells
  EXPECT_EQ(run_task(plan(some, &source, &target, only)).tasks, (Names{"copy a:v5"}));
}

TEST(Planner, ALateReferrerOfAnImageInAnIndexIsFound) {
  MemorySide source;
  MemorySide target;
  const std::string child = image("child");
  for (MemorySide* side : {&source, &target}) {
    side->put("a", child);
    side->put("a", index_of({child}), "v1", media_type::kOciIndex);
  }
  const auto policy = policy_of(R"({"filters":{"tags":["v*"]}})");
  EXPECT_TRUE(run_task(plan(policy, &source, &target)).tasks.empty());
  source.put("a", image("signature", child));
  EXPECT_EQ(run_task(plan(policy, &source, &target)).tasks, (Names{"copy a:v1"}));
}

TEST(Planner, SignaturesThatAreTagsGoWithTheirImage) {
  MemorySide source;
  MemorySide target;
  const Digest digest = source.put("a", image("1"), "v1");
  source.put("a", image("2"), "x1");
  source.put("a", image("3"), "sha256-" + digest.hex() + ".sig");
  source.put("a", image("4"), "sha256-" + std::string(64, '0') + ".sig");
  const auto policy = policy_of(R"({"filters":{"tags":["v*"]}})");
  EXPECT_EQ(run_task(plan(policy, &source, &target)).tasks,
            (Names{"copy a:sha256-" + digest.hex() + ".sig", "copy a:v1"}));
}

TEST(Planner, TheLatestAreKept) {
  MemorySide source;
  MemorySide target;
  for (const char* month : {"01", "03", "02"}) {
    const std::string config = fmt::format(R"({{"created":"2026-{}-01T00:00:00Z"}})", month);
    source.all["a"].blobs.emplace(Digest::of(DigestAlgorithm::kSha256, config), config);
    source.put("a", image(config), std::string("m") + month);
  }
  const auto policy = policy_of(R"({"filters":{"latest":2}})");
  EXPECT_EQ(run_task(plan(policy, &source, &target)).tasks, (Names{"copy a:m02", "copy a:m03"}));
}

Task<Result<void>> save_nothing() { co_return Result<void>(); }

Task<Result<bool>> copy(MemorySide* source, MemorySide* target, TaskRecord* task) {
  Gate gate({}, nullptr, 0, Clock::system());
  Shared shared;
  const Copier::Save save = [] { return save_nothing(); };
  const Destination unchanged;
  Copier copier(*source, *target, unchanged, gate, shared, *task, save);
  co_return co_await copier.copy();
}

TEST(Copier, BringsBlobsChildrenManifestReferrersAndTheTagLast) {
  MemorySide source;
  MemorySide target;
  target.has_referrers_api = false;
  const std::string child = image("child");
  const std::string index = index_of({child});
  const std::string signature = image("signature", index);
  for (const char* config : {"child", "signature"})
    source.all["a"].blobs.emplace(Digest::of(DigestAlgorithm::kSha256, std::string_view(config)), config);
  const Digest child_digest = source.put("a", child);
  const Digest index_digest = source.put("a", index, "v1", media_type::kOciIndex);
  const Digest signature_digest = source.put("a", signature);
  TaskRecord task;
  task.repository = task.target = "a";
  task.tag = "v1";
  task.digest = index_digest.to_string();
  const auto done = run_task(copy(&source, &target, &task));
  ASSERT_TRUE(done) << done.error().message();
  const auto blob = [](std::string_view bytes) {
    return "blob " + Digest::of(DigestAlgorithm::kSha256, bytes).to_string();
  };
  EXPECT_EQ(target.log,
            (Names{blob("child"), "manifest " + child_digest.to_string(), "manifest " + index_digest.to_string(),
                   blob("signature"), "manifest " + signature_digest.to_string(),
                   "manifest sha256-" + index_digest.hex(), "manifest v1"}));
  EXPECT_EQ(task.bytes, std::string_view("childsignature").size());
  target.log.clear();
  EXPECT_TRUE(run_task(copy(&source, &target, &task)));
  EXPECT_TRUE(target.log.empty());
}

TEST(Copier, AReferrerThatListsWhatItRefersToIsNoCircle) {
  MemorySide source;
  MemorySide target;
  const std::string child = image("child");
  source.all["a"].blobs.emplace(Digest::of(DigestAlgorithm::kSha256, std::string_view("child")), "child");
  const Digest digest = source.put("a", child, "v1");
  const std::string list = index_of({child});
  source.put("a",
             list.substr(0, list.size() - 1) + ",\"subject\":" + descriptor_text(media_type::kOciManifest, child) + "}",
             "v2", media_type::kOciIndex);
  TaskRecord task;
  task.repository = task.target = "a";
  task.tag = "v1";
  task.digest = digest.to_string();
  EXPECT_TRUE(run_task(copy(&source, &target, &task)));
  EXPECT_EQ(target.all["a"].manifests.size(), 2u);
}

TEST(Copier, ABlobThatTheSourceLostLeavesNoManifestAtTheTarget) {
  MemorySide source;
  MemorySide target;
  TaskRecord task;
  task.repository = task.target = "a";
  task.tag = "v1";
  task.digest = source.put("a", image("lost"), "v1").to_string();
  EXPECT_EQ(kind_of(run_task(copy(&source, &target, &task))), ErrorKind::kBlobUnknown);
  EXPECT_TRUE(target.log.empty());
}

TEST(Copier, WhatTheSourceNoLongerHasIsNoError) {
  MemorySide source;
  MemorySide target;
  TaskRecord task;
  task.repository = task.target = "a";
  task.tag = "v1";
  task.digest = Digest::of(DigestAlgorithm::kSha256, std::string_view("x")).to_string();
  const auto done = run_task(copy(&source, &target, &task));
  ASSERT_TRUE(done);
  EXPECT_FALSE(*done);
}

}  // namespace
}  // namespace wherry::replication
