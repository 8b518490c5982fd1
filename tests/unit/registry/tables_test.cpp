#include "common/registry/tables.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::registry::tables {
namespace {

using testing::digest_of;
using testing::kind_of;

RepositoryName repo(std::string_view text) { return RepositoryName::parse(text).value(); }

/// Names that start alike and that surround the separators of the grammar.
const std::vector<std::string> kAlike = {"a",  "a-b", "a.b",   "a/b", "a0", "a_b",
                                         "aa", "a-",  "a/b/c", "ab",  "a/", "a__b"};

std::vector<RepositoryName> repositories() {
  std::vector<RepositoryName> names;
  for (const auto& text : kAlike)
    if (auto name = RepositoryName::parse(text)) names.push_back(*name);
  return names;
}

TEST(Tables, NoPrefixOfARepositoryCoversAKeyOfAnother) {
  const Digest small = digest_of("x");
  const Digest large = digest_of("x", DigestAlgorithm::kSha512);
  for (const auto& one : repositories())
    for (const auto& other : repositories()) {
      const bool same = one == other;
      EXPECT_EQ(tag_key(other, "latest").starts_with(tags_prefix(one)), same) << one.text() << " " << other.text();
      for (const Digest& digest : {small, large}) {
        EXPECT_EQ(manifest_key(other, digest).starts_with(manifests_prefix(one)), same);
        EXPECT_EQ(member_key(other, digest).starts_with(members_prefix(one)), same);
        EXPECT_EQ(tagged_key(other, digest, "t").starts_with(tagged_prefix(one, digest)), same);
        EXPECT_EQ(referrer_key(other, digest, small).starts_with(referrers_prefix(one, digest)), same);
        EXPECT_FALSE(
            referrer_key(other, digest, small).starts_with(referrers_prefix(one, digest == small ? large : small)));
        EXPECT_FALSE(holder_key(digest, other).starts_with(holders_prefix(digest == small ? large : small)));
      }
    }
}

TEST(Tables, EveryTableHasKeysOfItsOwn) {
  const auto name = repo("a");
  const Digest digest = digest_of("x");
  const std::vector<std::string> keys = {repository_key(name),
                                         tag_key(name, "t"),
                                         tagged_key(name, digest, "t"),
                                         manifest_key(name, digest),
                                         member_key(name, digest),
                                         holder_key(digest, name),
                                         blob_key(digest),
                                         reference_key(digest, name, digest),
                                         referrer_key(name, digest, digest),
                                         upload_key("0"),
                                         scrub_key()};
  std::set<char> letters;
  for (const auto& key : keys) letters.insert(key[0]);
  EXPECT_EQ(letters.size(), keys.size());
}

TEST(Tables, KeysSortAsTheirNamesDo) {
  auto names = repositories();
  std::ranges::sort(names, {}, [](const RepositoryName& name) { return repository_key(name); });
  EXPECT_TRUE(std::ranges::is_sorted(names, {}, [](const RepositoryName& name) { return name.text(); }));
  std::vector<std::string> tags = {"1", "1.0", "10", "2", "A", "a", "_x", "latest", "v1-rc"};
  std::ranges::sort(tags, {}, [](const std::string& tag) { return tag_key(repo("a"), tag); });
  EXPECT_TRUE(std::ranges::is_sorted(tags));
}

TEST(Tables, AnotherRepositoryOrParentIsAnotherReference) {
  std::set<std::string> keys;
  const std::vector<Digest> digests = {digest_of("x"), digest_of("y"), digest_of("x", DigestAlgorithm::kSha512)};
  std::size_t made = 0;
  for (const auto& name : repositories())
    for (const Digest& child : digests)
      for (const Digest& parent : digests) {
        keys.insert(reference_key(child, name, parent));
        ++made;
      }
  EXPECT_EQ(keys.size(), made);
}

TEST(Tables, RowsAreReadBackAsTheyWereWritten) {
  for (const std::string& type : {std::string("application/vnd.oci.image.manifest.v1+json"), std::string("a/b")})
    for (const std::string& bytes : {std::string(), std::string("{}"), std::string("\0\xff", 2)}) {
      const std::string row = encode_manifest(type, bytes);
      const auto manifest = decode_manifest(row);
      ASSERT_TRUE(manifest);
      EXPECT_EQ(manifest->media_type, type);
      EXPECT_EQ(manifest->bytes, bytes);
      const std::string referrer_row = encode_referrer(type, bytes);
      const auto referrer = decode_referrer(referrer_row);
      ASSERT_TRUE(referrer);
      EXPECT_EQ(referrer->artifact_type, type);
      EXPECT_EQ(referrer->descriptor, bytes);
    }
}

TEST(Tables, RowsThatAreNotInTheirFormAreDamage) {
  const std::string good = encode_manifest("a/b", "");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_EQ(kind_of(decode_manifest(good.substr(0, size))), ErrorKind::kCorrupt) << size;
  EXPECT_EQ(kind_of(decode_manifest("\x02" + good.substr(1))), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(decode_referrer(std::string("\x01\xff\xff\xff\xff", 5))), ErrorKind::kCorrupt);
}

TEST(Tables, ADigestIsTakenOffAKeyAndNothingElseIs) {
  for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    const Digest digest = digest_of("x", algorithm);
    const std::string key = digest.binary() + "rest";
    std::string_view rest = key;
    EXPECT_EQ(take_digest(rest).value(), digest);
    EXPECT_EQ(rest, "rest");
    for (std::size_t size = 0; size < digest.binary().size(); ++size) {
      std::string_view cut = std::string_view(key).substr(0, size);
      EXPECT_EQ(kind_of(take_digest(cut)), ErrorKind::kCorrupt) << size;
      EXPECT_EQ(cut.size(), size);
    }
  }
  const std::string unknown(70, '\x7f');
  std::string_view rest = unknown;
  EXPECT_EQ(kind_of(take_digest(rest)), ErrorKind::kCorrupt);
}

}  // namespace
}  // namespace wherry::registry::tables
