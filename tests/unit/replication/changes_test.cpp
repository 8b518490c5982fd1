#include "master/replication/changes.h"

#include <gtest/gtest.h>

#include "master/replication/records.h"

namespace wherry::replication {
namespace {

using feed::Change;

Digest digest_of(std::string_view text) { return Digest::of(DigestAlgorithm::kSha256, text); }

TEST(Changes, LaterEntriesOfTheSameNameAreOneNameAndWhatConcernsNoRepositoryIsNothing) {
  Changes changes;
  changes.take(Change::repository_created("a", {}));
  changes.take(Change::manifest_put("a", digest_of("1"), {}));
  changes.take(Change::tag_set("a", "v1", digest_of("1"), {}));
  changes.take(Change::tag_removed("a", "v1", {}));
  changes.take(Change::tag_set("b", "v1", digest_of("2"), {}));
  changes.take(Change::manifest_deleted("b", digest_of("3"), {}));
  changes.take(Change::policy_set("x", "{}", {}));
  changes.take(Change::repository_created("c", {}));
  changes.take(Change::blob_added("c", digest_of("4"), {}));
  ASSERT_EQ(changes.repositories.size(), 2u);
  EXPECT_EQ(changes.repositories["a"].tags, std::set<std::string>{"v1"});
  EXPECT_EQ(changes.repositories["a"].manifests, std::set<Digest>{digest_of("1")});
  EXPECT_FALSE(changes.repositories["a"].is_too_much());
  ASSERT_EQ(changes.gone.size(), 1u);
  EXPECT_EQ(changes.gone.front().first, "b");
}

TEST(Changes, ARepositoryThatIsRemovedOrHasTooManyChangesIsLookedAtWhole) {
  Changes changes;
  changes.take(Change::repository_removed("gone", {}));
  for (std::size_t i = 0; i < 2 * Touched::kMost; ++i)
    changes.take(Change::tag_set("busy", "v" + std::to_string(i), digest_of("1"), {}));
  EXPECT_TRUE(changes.repositories["gone"].is_too_much());
  EXPECT_TRUE(changes.repositories["busy"].is_too_much());
  EXPECT_LE(changes.repositories["busy"].tags.size(), Touched::kMost + 1);
}

TEST(PolicyState, IsReadBackAsItWasWrittenAndWhatCannotBeReadIsNothing) {
  PolicyState state;
  state.position = 7;
  state.source.key = std::string(64, 'a');
  state.source.at = feed::Head{42, 3, feed::hash_of("x")};
  state.strays = {"team/app"};
  state.scheduled = from_millis(1234);
  const PolicyState again = PolicyState::parse(api::Json::parse(state.to_json().dump()));
  EXPECT_EQ(again.position, state.position);
  EXPECT_EQ(again.source.key, state.source.key);
  EXPECT_EQ(again.source.at, state.source.at);
  EXPECT_EQ(again.strays, state.strays);
  EXPECT_EQ(again.scheduled, state.scheduled);
  for (const char* wrong : {"[]", "null", "{\"position\":\"x\"}", "{\"strays\":[1]}"})
    EXPECT_FALSE(PolicyState::parse(api::Json::parse(wrong)).position) << wrong;
  const auto damaged =
      PolicyState::parse(api::Json::parse(R"({"position":1,"source":{"key":"","at":{"chain":"00"}}})"));
  EXPECT_FALSE(damaged.source.at);
}

TEST(Execution, SaysHowItFoundItsWorkAndIsReadBack) {
  Execution execution;
  execution.found = Found::by_feed(1042, 1080);
  execution.source.at = feed::Head{1080, 1, feed::hash_of("x")};
  execution.full = true;
  execution.more_to_delete = true;
  const auto document = api::Json::parse(execution.to_json().dump());
  EXPECT_EQ(document["found"], api::Json::parse(R"({"by":"feed","from":1042,"to":1080})"));
  const auto again = Execution::parse(document);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(again->to_json(), execution.to_json());
  execution.found = Found::all("it was asked for");
  EXPECT_EQ(execution.to_json()["found"], api::Json::parse(R"({"by":"full comparison","because":"it was asked for"})"));
}

}  // namespace
}  // namespace wherry::replication
