#include "common/feed/verifier.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/feed/segment.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::feed {
namespace {

using testing::kind_of;

WallTime at_second(int second) { return from_millis(second * 1000); }

/// A master's log in memory, and what it sends.
class VerifierTest : public ::testing::Test {
 protected:
  VerifierTest() { trusted.add(key.public_key()); }

  std::vector<Entry> grow(std::size_t count, const std::string& repository = "team/app") {
    std::vector<Entry> made;
    for (std::size_t i = 0; i < count; ++i) {
      Change change =
          Change::tag_set(repository, "v1", testing::digest_of(std::to_string(head.position)), at_second(1));
      change.place(head.position + 1, head.epoch, Change::Salt{static_cast<std::byte>(i)});
      std::string encoded = change.encode();
      const Hash hash = hash_of(encoded);
      head = Head{head.position + 1, head.epoch, next_chain(head.chain, hash)};
      made.emplace_back(std::move(change), std::move(encoded), hash, head.chain);
    }
    return made;
  }
  SignedHead signed_head() const { return SignedHead::sign(head, at_second(2), key); }
  std::string bytes_of(const std::vector<Entry>& entries) const {
    return Segment::make(entries, signed_head())->bytes();
  }

  /// What a verifier gives for these bytes, which come in small pieces: its batches, or why it refused.
  static Result<std::vector<Batch>> verify(Verifier& verifier, std::string_view bytes) {
    RecordReader reader;
    std::vector<Batch> batches;
    for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(7, bytes.size()))) {
      reader.feed(bytes.substr(0, 7));
      while (true) {
        auto record = reader.next();
        if (!record) return record.error();
        if (!*record) break;
        auto batch = verifier.take(**record);
        if (!batch) return batch.error();
        if (*batch) batches.push_back(std::move(**batch));
      }
    }
    return batches;
  }
  Result<std::vector<Batch>> verify_from_the_start(std::string_view bytes) {
    Verifier verifier(Head(), trusted, false);
    return verify(verifier, bytes);
  }

  SigningKey key = SigningKey::make();
  TrustedKeys trusted;
  Head head;
};

TEST_F(VerifierTest, EntriesComeOutOnceASignedHeadCoversThem) {
  const auto entries = grow(3);
  Verifier verifier(Head(), trusted, false);
  std::string bytes;
  for (const Entry& entry : entries) append_record(bytes, RecordKind::kEntry, entry.encoded());
  EXPECT_TRUE(verify(verifier, bytes).value().empty());
  bytes.clear();
  append_record(bytes, RecordKind::kHead, signed_head().encode());
  const auto batches = verify(verifier, bytes).value();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].entries.size(), 3u);
  EXPECT_EQ(verifier.at(), head);
  EXPECT_EQ(verifier.newest(), 3u);
}

TEST_F(VerifierTest, WhatWasSentOnIsVerifiedAsItIs) {
  auto bytes = bytes_of(grow(2));
  bytes += bytes_of({});
  bytes += bytes_of(grow(5));
  const auto batches = verify_from_the_start(bytes).value();
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_TRUE(batches[1].entries.empty());
  EXPECT_EQ(batches[2].head.head, head);
}

TEST_F(VerifierTest, AFlippedBitAnywhereIsNoticedOrNothingComesOut) {
  const std::string bytes = bytes_of(grow(2));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string other = bytes;
    other[i] = static_cast<char>(other[i] ^ 1);
    const auto batches = verify_from_the_start(other);
    EXPECT_TRUE(!batches || batches->empty()) << i;
  }
}

TEST_F(VerifierTest, DroppedRepeatedAndReorderedEntriesAreRefused) {
  const auto entries = grow(3);
  const std::vector<std::vector<std::size_t>> orders = {{0, 2}, {1, 2}, {0, 0, 1, 2}, {1, 0, 2}, {0, 1, 1, 2}, {0, 1}};
  for (const auto& order : orders) {
    std::string bytes;
    for (const std::size_t index : order) append_record(bytes, RecordKind::kEntry, entries[index].encoded());
    append_record(bytes, RecordKind::kHead, signed_head().encode());
    EXPECT_EQ(kind_of(verify_from_the_start(bytes)), ErrorKind::kInvalid);
  }
}

TEST_F(VerifierTest, AForgedEntryAndAnotherKeysHeadAreRefused) {
  const Head before = head;
  grow(1);
  const Head genuine = head;
  head = before;
  const auto forged = grow(1, "evil/app");
  std::string bytes;
  append_record(bytes, RecordKind::kEntry, forged[0].encoded());
  append_record(bytes, RecordKind::kHead, SignedHead::sign(genuine, at_second(2), key).encode());
  EXPECT_EQ(kind_of(verify_from_the_start(bytes)), ErrorKind::kInvalid);
  const SigningKey other = SigningKey::make();
  bytes = Segment::make(forged, SignedHead::sign(head, at_second(2), other))->bytes();
  EXPECT_EQ(kind_of(verify_from_the_start(bytes)), ErrorKind::kInvalid);
}

TEST_F(VerifierTest, HiddenEntriesCloseTheChainAndTellNothing) {
  auto entries = grow(1, "seen/a");
  for (const Entry& entry : grow(2, "hidden/b")) entries.push_back(entry);
  for (const Entry& entry : grow(1, "seen/c")) entries.push_back(entry);
  const auto segment = Segment::make(entries, signed_head());
  const std::string bytes = segment->bytes_for(Visibility({"seen*"}));
  EXPECT_EQ(bytes.find("hidden"), std::string::npos);
  const auto batches = verify_from_the_start(bytes).value();
  ASSERT_EQ(batches.size(), 1u);
  ASSERT_EQ(batches[0].entries.size(), 4u);
  EXPECT_TRUE(batches[0].entries[0].change());
  EXPECT_FALSE(batches[0].entries[1].change());
  EXPECT_FALSE(batches[0].entries[2].change());
  EXPECT_EQ(batches[0].entries[3].change()->repository(), "seen/c");
  // It can be handed on as it came, and hidden stays hidden.
  EXPECT_EQ(Segment::make(batches[0].entries, batches[0].head)->bytes(), bytes);
}

TEST_F(VerifierTest, AnEpochThatIsOverIsRefused) {
  head.epoch = 4;
  const auto bytes = bytes_of(grow(1));
  Verifier verifier(Head{0, 5, Hash{}}, trusted, false);
  EXPECT_EQ(kind_of(verify(verifier, bytes)), ErrorKind::kInvalid);
  Verifier older(Head{0, 3, Hash{}}, trusted, false);
  ASSERT_TRUE(verify(older, bytes));
  EXPECT_EQ(older.at().epoch, 4u);
}

TEST_F(VerifierTest, AParentThatIsBehindIsNoForger) {
  const auto first = bytes_of(grow(1));
  const Head behind = head;
  grow(4);
  Verifier verifier(head, trusted, false);
  std::string bytes;
  append_record(bytes, RecordKind::kHead, SignedHead::sign(behind, at_second(2), key).encode());
  EXPECT_TRUE(verify(verifier, bytes).value().empty());
  EXPECT_TRUE(verifier.parent_is_behind());
  EXPECT_EQ(verifier.at(), head);
}

TEST_F(VerifierTest, TooManyEntriesWithoutAHeadAreRefused) {
  const auto entries = grow(Verifier::kMostEntries + 1);
  std::string bytes;
  for (const Entry& entry : entries) append_record(bytes, RecordKind::kEntry, entry.encoded());
  EXPECT_EQ(kind_of(verify_from_the_start(bytes)), ErrorKind::kInvalid);
}

TEST_F(VerifierTest, TheFirstKeyIsTrustedOnFirstContactAloneAndOthersWhenVouchedFor) {
  const SigningKey next = SigningKey::make();
  const SigningKey stranger = SigningKey::make();
  std::string keys;
  append_record(keys, RecordKind::kKey, KeyRecord::first(key.public_key()).encode());
  append_record(keys, RecordKind::kKey, KeyRecord::first(stranger.public_key()).encode());
  append_record(keys, RecordKind::kKey, KeyRecord::vouched(next.public_key(), key).encode());
  TrustedKeys none;
  Verifier strict(Head(), none, false);
  ASSERT_TRUE(verify(strict, keys));
  EXPECT_TRUE(none.empty());
  TrustedKeys learned;
  Verifier trusting(Head(), learned, true);
  ASSERT_TRUE(verify(trusting, keys));
  EXPECT_NE(learned.find(key.public_key().id()), nullptr);
  EXPECT_NE(learned.find(next.public_key().id()), nullptr);
  EXPECT_EQ(learned.find(stranger.public_key().id()), nullptr);
}

TEST_F(VerifierTest, AKeyThatTheFeedAnnouncesSignsFromThereOn) {
  const SigningKey next = SigningKey::make();
  Change change = Change::key_announced(KeyRecord::vouched(next.public_key(), key).encode(), at_second(1));
  change.place(1, 1, {});
  std::string encoded = change.encode();
  const Hash hash = hash_of(encoded);
  head = Head{1, 1, next_chain(head.chain, hash)};
  std::vector<Entry> entries;
  entries.emplace_back(std::move(change), std::move(encoded), hash, head.chain);
  const auto bytes = Segment::make(entries, SignedHead::sign(head, at_second(2), next))->bytes();
  EXPECT_EQ(verify_from_the_start(bytes).value().size(), 1u);
}

TEST(RecordReader, RefusesWhatIsTooLargeOrUnknown) {
  std::string bytes;
  append_be32(bytes, static_cast<std::uint32_t>(kMaxRecordBytes + 1));
  bytes += "E";
  RecordReader large;
  large.feed(bytes);
  EXPECT_EQ(kind_of(large.next()), ErrorKind::kInvalid);
  RecordReader unknown;
  unknown.feed(std::string("\0\0\0\1?x", 6));
  EXPECT_EQ(kind_of(unknown.next()), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::feed
