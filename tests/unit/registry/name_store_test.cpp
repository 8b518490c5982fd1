#include "common/registry/name_store.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/kv/rocks_key_value.h"
#include "common/oci/media_types.h"
#include "common/registry/tables.h"
#include "tests/unit/support/digest_of.h"
#include "tests/unit/support/error_kind.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::registry {
namespace {

using testing::digest_of;
using testing::kind_of;
using testing::run_task;
using Names = std::vector<std::string>;

RepositoryName repo(std::string_view text) { return RepositoryName::parse(text).value(); }
Reference reference(std::string_view text) { return Reference::parse(text).value(); }
Tag tag(std::string_view text) { return Tag::parse(text).value(); }

std::string descriptor(std::string_view type, std::string_view content) {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":{}}})", type, digest_of(content).to_string(),
                     content.size());
}

/// An image manifest of a configuration and layers (named by their content), about `subject` if there is one.
std::string image(std::string_view config, const std::vector<std::string>& layers, std::string_view subject = {},
                  std::string_view artifact_type = {}) {
  std::string text = fmt::format(R"({{"schemaVersion":2,"mediaType":"{}",)", media_type::kOciManifest);
  if (!artifact_type.empty()) text += fmt::format(R"("artifactType":"{}",)", artifact_type);
  text += "\"config\":" + descriptor(media_type::kOciConfig, config) + ",\"layers\":[";
  for (std::size_t i = 0; i < layers.size(); ++i)
    text += (i == 0 ? "" : ",") + descriptor(media_type::kOciLayer, layers[i]);
  text += "]";
  if (!subject.empty()) text += ",\"subject\":" + descriptor(media_type::kOciManifest, subject);
  return text + "}";
}

std::string index(const std::vector<std::string>& manifests) {
  std::string text = fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[)", media_type::kOciIndex);
  for (std::size_t i = 0; i < manifests.size(); ++i)
    text += (i == 0 ? "" : ",") + descriptor(media_type::kOciManifest, manifests[i]);
  return text + "]}";
}

class NameStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store = kv::RocksKeyValue::open(dir / "kv", pool, {}).value();
    names.emplace(*store);
  }

  template <class Body>
  auto write(Body body) {
    return run_task(store->transact(std::move(body)));
  }
  void put(const RepositoryName& repository, const std::string& bytes,
           std::string_view type = media_type::kOciManifest) {
    const auto manifest = Manifest::parse(bytes, type);
    ASSERT_TRUE(manifest) << manifest.error().message();
    ASSERT_TRUE(write([&](kv::Transaction& transaction) -> Result<void> {
      transaction.put(tables::repository_key(repository), "1");
      auto stored = put_manifest(transaction, repository, digest_of(bytes), *manifest, bytes);
      if (!stored) return stored.error();
      return {};
    }));
  }
  std::optional<Digest> put(const RepositoryName& repository, std::string_view name, const Digest& digest) {
    return write([&](kv::Transaction& transaction) { return put_tag(transaction, repository, name, digest); }).value();
  }
  Result<Names> erase(const RepositoryName& repository, const Digest& digest) {
    return write([&](kv::Transaction& transaction) { return erase_manifest(transaction, repository, digest); });
  }
  Names tags(const RepositoryName& repository, std::string last = {}, std::size_t limit = 100) {
    const auto page = run_task(names->tags(repository, std::move(last), limit)).value();
    Names listed = page.names();
    if (page.more()) listed.emplace_back("...");
    return listed;
  }
  Names repositories(std::string last = {}, std::size_t limit = 100) {
    const auto page = run_task(names->repositories(std::move(last), limit)).value();
    Names listed = page.names();
    if (page.more()) listed.emplace_back("...");
    return listed;
  }
  /// The digests that are listed as referrers, of all pages.
  Names referrers(const RepositoryName& repository, const Digest& subject, std::string type = {},
                  std::size_t limit = 100) {
    Names found;
    std::string last;
    do {
      const auto page = run_task(names->referrers(repository, subject, type, last, limit)).value();
      EXPECT_LE(page.descriptors().size(), limit);
      for (const auto& text : page.descriptors()) {
        const auto at = text.find("sha256:");
        found.push_back(text.substr(at, 71));
      }
      last = page.last();
    } while (!last.empty());
    return found;
  }
  /// Everything that is stored, for comparing states.
  std::map<std::string, std::string> everything() {
    std::map<std::string, std::string> all;
    const auto page = run_task(store->scan(kv::ScanRequest(""))).value();
    for (const auto& [key, value] : page.entries) all[key] = value;
    return all;
  }

  testing::TempDir dir;
  Pool pool{"readers", 1};
  std::unique_ptr<kv::RocksKeyValue> store;
  std::optional<NameStore> names;
  const RepositoryName a = repo("a");
};

TEST_F(NameStoreTest, AManifestComesBackByDigestAndByTagByteForByte) {
  const std::string bytes = image("config", {"layer"}) + " \n";
  const Digest digest = digest_of(bytes);
  put(a, bytes);
  put(a, "latest", digest);
  for (const std::string& name : {digest.to_string(), std::string("latest")}) {
    const auto manifest = run_task(names->manifest(a, reference(name)));
    ASSERT_TRUE(manifest) << name;
    EXPECT_EQ(manifest->bytes(), bytes);
    EXPECT_EQ(manifest->digest(), digest);
    EXPECT_EQ(manifest->media_type(), media_type::kOciManifest);
  }
  EXPECT_EQ(run_task(names->resolve(a, tag("latest"))).value(), digest);
}

TEST_F(NameStoreTest, WhatOneRepositoryHasNoOtherHas) {
  const std::string bytes = image("config", {"layer"});
  const Digest digest = digest_of(bytes);
  put(a, bytes);
  put(a, "latest", digest);
  for (const char* other : {"b", "aa", "a/a", "a-a", "a0"}) {
    EXPECT_EQ(kind_of(run_task(names->manifest(repo(other), Reference(digest)))), ErrorKind::kManifestUnknown);
    EXPECT_EQ(kind_of(run_task(names->manifest(repo(other), reference("latest")))), ErrorKind::kManifestUnknown);
    EXPECT_EQ(kind_of(run_task(names->tags(repo(other), {}, 10))), ErrorKind::kNameUnknown);
  }
}

TEST_F(NameStoreTest, ATagThatMovesNamesOneManifestAtATime) {
  const std::string first = image("one", {"x"});
  const std::string second = image("two", {"x"});
  put(a, first);
  put(a, second);
  EXPECT_EQ(put(a, "t", digest_of(first)), std::nullopt);
  EXPECT_EQ(put(a, "t", digest_of(first)), digest_of(first));
  EXPECT_EQ(put(a, "t", digest_of(second)), digest_of(first));
  EXPECT_EQ(run_task(names->resolve(a, tag("t"))).value(), digest_of(second));
  // The manifest that it named before takes no tag along when it goes.
  EXPECT_EQ(erase(a, digest_of(first)).value(), Names());
  EXPECT_EQ(tags(a), Names{"t"});
  EXPECT_EQ(erase(a, digest_of(second)).value(), Names{"t"});
  EXPECT_EQ(tags(a), Names());
}

TEST_F(NameStoreTest, ATagThatIsRemovedLeavesItsManifest) {
  const std::string bytes = image("config", {"x"});
  put(a, bytes);
  const auto without_tags = everything();
  put(a, "t", digest_of(bytes));
  const auto erase_it = [&] {
    return write([&](kv::Transaction& transaction) { return erase_tag(transaction, a, "t"); }).value();
  };
  EXPECT_EQ(erase_it(), digest_of(bytes));
  EXPECT_EQ(erase_it(), std::nullopt);
  EXPECT_EQ(everything(), without_tags);
}

TEST_F(NameStoreTest, AManifestThatIsRemovedTakesAllThatItBroughtAndNothingElse) {
  const std::string kept = image("config", {"shared", "own"});
  put(a, kept);
  put(a, "kept", digest_of(kept));
  put(repo("a/b"), kept);
  const auto before = everything();
  const std::vector<std::pair<std::string, std::string_view>> forms = {
      {image("config", {"shared", "shared", "other"}, kept, "application/x"), media_type::kOciManifest},
      {index({kept, "missing"}), media_type::kOciIndex},
      {R"({"blobs":[)" + descriptor("a/b", "shared") + "],\"subject\":" + descriptor("c/d", kept) + "}",
       "application/vnd.other+json"},
      {"mere bytes", "application/octet-stream"}};
  for (const auto& [bytes, type] : forms) {
    put(a, bytes, type);
    put(a, "t1", digest_of(bytes));
    put(a, "t2", digest_of(bytes));
    EXPECT_NE(everything(), before);
    EXPECT_EQ(erase(a, digest_of(bytes)).value(), (Names{"t1", "t2"}));
    EXPECT_EQ(everything(), before) << type;
    EXPECT_EQ(kind_of(erase(a, digest_of(bytes))), ErrorKind::kManifestUnknown);
  }
}

TEST_F(NameStoreTest, TheSameBytesUnderAnotherMediaTypeLeaveNoReferenceOfTheFirst) {
  // `blobs` is a link in an artifact manifest, and nothing in an image manifest.
  const std::string bytes = R"({"schemaVersion":2,"config":)" + descriptor(media_type::kOciConfig, "config") +
                            R"(,"layers":[],"blobs":[)" + descriptor("a/b", "blob") + R"(],"subject":)" +
                            descriptor(media_type::kOciManifest, "subject") + "}";
  const std::string_view artifact = "application/vnd.other+json";
  std::map<std::string_view, std::map<std::string, std::string>> alone;
  for (const std::string_view type : {artifact, media_type::kOciManifest}) {
    put(a, bytes, type);
    alone[type] = everything();
    ASSERT_TRUE(erase(a, digest_of(bytes)));
  }
  EXPECT_NE(alone[artifact].size(), alone[media_type::kOciManifest].size());
  for (const auto& [first, second] :
       {std::pair(artifact, media_type::kOciManifest), std::pair(media_type::kOciManifest, artifact)}) {
    put(a, bytes, first);
    put(a, bytes, second);
    EXPECT_EQ(everything(), alone[second]) << first;
    ASSERT_TRUE(erase(a, digest_of(bytes)));
  }
}

TEST_F(NameStoreTest, ReferencesNameEveryChildAndItsParent) {
  const std::string bytes = image("config", {"one", "two"});
  put(a, bytes);
  std::set<std::string> expected;
  for (const char* child : {"config", "one", "two"})
    expected.insert(tables::reference_key(digest_of(child), a, digest_of(bytes)));
  std::set<std::string> found;
  for (const auto& [key, value] : everything())
    if (key[0] == 'p') found.insert(key);
  EXPECT_EQ(found, expected);
}

TEST_F(NameStoreTest, PuttingItAgainChangesNothing) {
  const std::string subject = image("config", {"x"});
  const std::string bytes = image("config", {"x", "y"}, subject);
  put(a, bytes);
  const auto once = everything();
  put(a, bytes);
  EXPECT_EQ(everything(), once);
}

TEST_F(NameStoreTest, TagsAreListedInLexicalOrderInPages) {
  const std::string bytes = image("config", {"x"});
  put(a, bytes);
  for (const char* name : {"b", "a", "A", "10", "2", "_", "a.b", "a-b"}) put(a, name, digest_of(bytes));
  put(repo("a/b"), bytes);
  put(repo("a/b"), "zzz", digest_of(bytes));
  const Names all = {"10", "2", "A", "_", "a", "a-b", "a.b", "b"};
  EXPECT_EQ(tags(a), all);
  EXPECT_EQ(tags(a, {}, 8), all);
  EXPECT_EQ(tags(a, {}, 2), (Names{"10", "2", "..."}));
  EXPECT_EQ(tags(a, "2", 2), (Names{"A", "_", "..."}));
  EXPECT_EQ(tags(a, "a", 9), (Names{"a-b", "a.b", "b"}));
  EXPECT_EQ(tags(a, "a.a"), (Names{"a.b", "b"}));  // need not be there
  EXPECT_EQ(tags(a, "b"), Names());
  EXPECT_EQ(tags(a, "~"), Names());
  EXPECT_EQ(tags(a, {}, 0), Names());
  for (const std::string& hostile :
       {std::string("\xff\xff"), std::string("\0", 1), std::string("../b"), std::string(10000, 'z')})
    for (const auto& name : tags(a, hostile)) EXPECT_NE(name, "zzz");
}

TEST_F(NameStoreTest, RepositoriesAreListedInLexicalOrderInPages) {
  for (const char* name : {"b", "a/b", "a-b", "a", "aa"}) put(repo(name), image("config", {"x"}));
  EXPECT_EQ(repositories(), (Names{"a", "a-b", "a/b", "aa", "b"}));
  EXPECT_EQ(repositories({}, 2), (Names{"a", "a-b", "..."}));
  EXPECT_EQ(repositories("a-b", 2), (Names{"a/b", "aa", "..."}));
  EXPECT_EQ(repositories("b"), Names());
  EXPECT_EQ(repositories({}, 0), Names());
  EXPECT_TRUE(run_task(names->has_repository(repo("a/b"))).value());
  EXPECT_FALSE(run_task(names->has_repository(repo("a/c"))).value());
}

TEST_F(NameStoreTest, AMembershipIsOfOneRepositoryAndNeedsTheBlob) {
  const Digest digest = digest_of("blob");
  const store::BlobRow row(4, {7});
  const auto write_row = [&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(tables::blob_key(digest), row.encode());
    return {};
  };
  const auto join = [&](kv::Transaction& transaction) -> Result<void> {
    put_membership(transaction, a, digest);
    put_membership(transaction, repo("a/b"), digest);
    return {};
  };
  const auto leave = [&](kv::Transaction& transaction) -> Result<void> {
    erase_membership(transaction, a, digest);
    return {};
  };
  ASSERT_TRUE(write(join));
  EXPECT_EQ(kind_of(run_task(names->member(a, digest))), ErrorKind::kBlobUnknown);
  ASSERT_TRUE(write(write_row));
  EXPECT_EQ(run_task(names->member(a, digest)).value(), row);
  EXPECT_EQ(kind_of(run_task(names->member(repo("b"), digest))), ErrorKind::kBlobUnknown);
  EXPECT_EQ(run_task(names->holders(digest, 10)).value(), (Names{"a", "a/b"}));
  EXPECT_EQ(run_task(names->holders(digest, 1)).value(), Names{"a"});
  ASSERT_TRUE(write(leave));
  EXPECT_EQ(kind_of(run_task(names->member(a, digest))), ErrorKind::kBlobUnknown);
  EXPECT_EQ(run_task(names->member(repo("a/b"), digest)).value(), row);
  EXPECT_EQ(run_task(names->holders(digest, 10)).value(), Names{"a/b"});
}

TEST_F(NameStoreTest, ReferrersAreOfTheirSubjectAndTypeInPages) {
  const std::string subject = image("config", {"x"});
  put(a, subject);
  std::set<std::string> of_x;
  std::set<std::string> all;
  for (int i = 0; i < 5; ++i) {
    const std::string bytes = image("config", {std::to_string(i)}, subject, i < 2 ? "application/x" : "application/y");
    put(a, bytes);
    all.insert(digest_of(bytes).to_string());
    if (i < 2) of_x.insert(digest_of(bytes).to_string());
  }
  put(a, image("config", {"other"}, "another subject"));
  put(repo("a/b"), image("config", {"elsewhere"}, subject));
  for (const std::size_t limit : {1u, 2u, 3u, 5u, 100u}) {
    const auto listed = referrers(a, digest_of(subject), {}, limit);
    EXPECT_EQ(std::set(listed.begin(), listed.end()), all) << limit;
    EXPECT_EQ(listed.size(), all.size());
    const auto filtered = referrers(a, digest_of(subject), "application/x", limit);
    EXPECT_EQ(std::set(filtered.begin(), filtered.end()), of_x) << limit;
  }
  EXPECT_EQ(referrers(a, digest_of(subject), "application/z"), Names());
  EXPECT_EQ(referrers(a, digest_of("no subject at all")), Names());
  EXPECT_EQ(kind_of(run_task(names->referrers(a, digest_of(subject), {}, "not a digest", 10))), ErrorKind::kInvalid);
}

TEST_F(NameStoreTest, AFallbackTagAddsOnlyWhatIsThereAndNotListedYet) {
  const std::string subject = image("config", {"x"});
  put(a, subject);
  const std::string with_subject = image("config", {"1"}, subject);
  const std::string without = image("config", {"2"});
  put(a, with_subject);
  put(a, without);
  const std::string fallback = index({with_subject, without, "gone", without});
  put(a, fallback, media_type::kOciIndex);
  std::string name = digest_of(subject).to_string();
  name[name.find(':')] = '-';
  put(a, name, digest_of(fallback));
  for (const std::size_t limit : {1u, 2u, 100u})
    EXPECT_EQ(referrers(a, digest_of(subject), {}, limit),
              (Names{digest_of(with_subject).to_string(), digest_of(without).to_string()}))
        << limit;
}

TEST_F(NameStoreTest, StoredDamageIsToldAndNotTakenForAbsence) {
  const std::string bytes = image("config", {"x"});
  put(a, bytes);
  put(a, "t", digest_of(bytes));
  const auto damage = [&](const std::string& key) {
    ASSERT_TRUE(write([&](kv::Transaction& transaction) -> Result<void> {
      transaction.put(key, "?");
      return {};
    }));
  };
  damage(tables::manifest_key(a, digest_of(bytes)));
  EXPECT_EQ(kind_of(run_task(names->manifest(a, reference("t")))), ErrorKind::kCorrupt);
  EXPECT_EQ(kind_of(erase(a, digest_of(bytes))), ErrorKind::kCorrupt);
  damage(tables::tag_key(a, "t"));
  const auto resolved = run_task(names->resolve(a, tag("t")));
  ASSERT_FALSE(resolved);
  EXPECT_NE(resolved.error().kind(), ErrorKind::kManifestUnknown);
  ASSERT_TRUE(write([&](kv::Transaction& transaction) -> Result<void> {
    put_membership(transaction, a, digest_of("blob"));
    return {};
  }));
  damage(tables::blob_key(digest_of("blob")));
  EXPECT_EQ(kind_of(run_task(names->member(a, digest_of("blob")))), ErrorKind::kCorrupt);
}

TEST_F(NameStoreTest, ListsManifestsPageByPageAndThoseThatNothingInTheirRepositoryLeadsTo) {
  const std::string tagged = image("c1", {});
  const std::string child = image("c2", {});
  const std::string parent = index({child});
  const std::string loose = image("c3", {}, tagged);  // a referrer is led to by nothing either
  for (const std::string& bytes : {tagged, child, loose}) put(a, bytes);
  put(a, parent, media_type::kOciIndex);
  put(a, "v1", digest_of(tagged));
  put(a, "multi", digest_of(parent));
  put(repo("team/b"), loose);
  put(repo("team/b"), "v1", digest_of(loose));
  const auto listed = [&](bool untagged, std::size_t limit) {
    std::set<Digest> all;
    ManifestQuery query;
    query.untagged = untagged;
    query.limit = limit;
    for (int pages = 0; pages < 10; ++pages) {
      const auto page = run_task(names->manifests(a, query)).value();
      EXPECT_LE(page.digests().size(), limit);
      for (const Digest& digest : page.digests()) EXPECT_TRUE(all.insert(digest).second);
      query.last = page.last();
      if (query.last.empty()) return all;
    }
    ADD_FAILURE() << "the pages do not end";
    return all;
  };
  const std::set<Digest> all{digest_of(tagged), digest_of(child), digest_of(parent), digest_of(loose)};
  for (const std::size_t limit : {1U, 3U, 4U, 100U}) {
    EXPECT_EQ(listed(false, limit), all) << limit;
    EXPECT_EQ(listed(true, limit), std::set{digest_of(loose)}) << limit;
  }
  ManifestQuery one;
  one.untagged = true;
  one.only = digest_of(child);
  EXPECT_TRUE(run_task(names->manifests(a, one)).value().digests().empty());
  ASSERT_TRUE(erase(a, digest_of(parent)));
  EXPECT_EQ(run_task(names->manifests(a, one)).value().digests(), std::vector{digest_of(child)});
  EXPECT_EQ(listed(true, 2), (std::set{digest_of(loose), digest_of(child)}));
  one.only = digest_of("nothing");
  one.untagged = false;
  EXPECT_TRUE(run_task(names->manifests(a, one)).value().digests().empty());
  ManifestQuery odd;
  odd.limit = 1;
  odd.last = "sha256:12";
  EXPECT_EQ(kind_of(run_task(names->manifests(a, odd))), ErrorKind::kInvalid);
  odd.last.clear();
  EXPECT_TRUE(run_task(names->manifests(repo("team/none"), odd)).value().digests().empty());
}

}  // namespace
}  // namespace wherry::registry
