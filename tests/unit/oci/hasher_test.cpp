#include "common/oci/hasher.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/bytes.h"

namespace wherry {
namespace {

constexpr DigestAlgorithm kBoth[] = {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512};

std::string message_of(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(i * 131 + 7));
  return out;
}

TEST(Hasher, AMillionLettersAHashToThePublishedValue) {  // FIPS 180-4 examples
  Hasher sha256;
  Hasher sha512(DigestAlgorithm::kSha512);
  for (int i = 0; i < 1000; ++i) {
    sha256.update(std::string(1000, 'a'));
    sha512.update(std::string(1000, 'a'));
  }
  EXPECT_EQ(sha256.size(), 1'000'000U);
  EXPECT_EQ(sha256.finish().hex(), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha512.finish().hex(),
            "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
            "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
}

TEST(Hasher, SavedAndLoadedAtEverySplitPointItEndsInTheSameDigest) {
  const std::string message = message_of(400);
  for (const DigestAlgorithm algorithm : kBoth) {
    for (std::size_t size : {0, 1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 256, 400}) {
      const std::string_view part = std::string_view(message).substr(0, size);
      const Digest expected = Digest::of(algorithm, part);
      for (std::size_t split = 0; split <= size; ++split) {
        Hasher first(algorithm);
        first.update(as_bytes(part.substr(0, split)));
        const std::string saved = first.save();
        ASSERT_EQ(saved.size(), Hasher::saved_bytes(algorithm));
        auto second = Hasher::load(saved);
        ASSERT_TRUE(second) << second.error().message();
        EXPECT_EQ(second->algorithm(), algorithm);
        EXPECT_EQ(second->size(), split);
        EXPECT_EQ(second->save(), saved);
        second->update(part.substr(split));
        ASSERT_EQ(second->finish(), expected) << size << " split at " << split;
      }
    }
  }
}

TEST(Hasher, FinishingLeavesItAbleToGoOn) {
  for (const DigestAlgorithm algorithm : kBoth) {
    Hasher hasher(algorithm);
    for (std::size_t i = 0; i < 300; ++i) {
      EXPECT_EQ(hasher.finish(), Digest::of(algorithm, message_of(i)));
      hasher.update(message_of(i + 1).substr(i));
    }
    const Hasher fork = hasher;
    hasher.update("more");
    EXPECT_EQ(fork.finish(), Digest::of(algorithm, message_of(300)));
  }
}

TEST(Hasher, StateOfALargeMessageKeepsALengthOver32Bits) {
  // 2^32 bits and more: the struct splits the count of bits into two words.
  const std::string chunk(std::size_t{1} << 20, 'x');
  Hasher hasher;
  for (int i = 0; i < 513; ++i) hasher.update(chunk);
  auto loaded = Hasher::load(hasher.save());
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->finish(), hasher.finish());
  EXPECT_EQ(loaded->save(), hasher.save());
}

TEST(Hasher, SavedFormNeverChanges) {
  Hasher hasher;
  hasher.update("abc");
  EXPECT_EQ(to_hex(as_bytes(hasher.save())),
            "0101"
            "0000000000000003"
            "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
            "616263" +
                std::string(122, '0'));
  Hasher wide(DigestAlgorithm::kSha512);
  wide.update("abc");
  EXPECT_EQ(to_hex(as_bytes(wide.save())),
            "0102"
            "0000000000000003"
            "6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1"
            "510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179"
            "616263" +
                std::string(250, '0'));
}

TEST(Hasher, StatesThatSaveCannotHaveWrittenAreRefused) {
  for (const DigestAlgorithm algorithm : kBoth) {
    Hasher hasher(algorithm);
    hasher.update("abc");
    const std::string good = hasher.save();
    const std::size_t block_at = good.size() - (algorithm == DigestAlgorithm::kSha256 ? 64 : 128);
    const auto changed = [&](std::size_t at, char value) {
      std::string out = good;
      out[at] = value;
      return out;
    };
    const std::vector<std::string> bad = {
        "",
        good.substr(0, 1),
        good.substr(0, good.size() - 1),
        good + '\0',
        changed(0, 0),  // version
        changed(0, 2),
        changed(1, 0),  // algorithm
        changed(1, 3),
        changed(1, algorithm == DigestAlgorithm::kSha256 ? 2 : 1),
        changed(2, '\x20'),  // size: 2^61 and more
        changed(2, '\xff'),
        changed(9, 2),             // size smaller than what the block holds
        changed(10, 0),            // chain of a first block
        changed(block_at + 3, 1),  // behind the open block
        changed(good.size() - 1, 1),
    };
    for (const std::string& state : bad) {
      const auto loaded = Hasher::load(state);
      ASSERT_FALSE(loaded) << to_hex(as_bytes(state));
      EXPECT_EQ(loaded.error().kind(), ErrorKind::kCorrupt);
    }
  }
}

TEST(Hasher, ChangedSizeAloneIsRefusedOrEndsInAnotherDigest) {
  Hasher hasher;
  hasher.update(message_of(150));
  for (int size = 0; size < 256; ++size) {
    std::string state = hasher.save();
    if (static_cast<unsigned char>(state[9]) == size) continue;
    state[9] = static_cast<char>(size);
    const auto loaded = Hasher::load(state);
    EXPECT_TRUE(!loaded || loaded->finish() != hasher.finish()) << size;
  }
}

TEST(Hasher, EmptyUpdatesChangeNothing) {
  Hasher hasher;
  hasher.update(std::string_view());
  hasher.update(std::span<const std::byte>());
  EXPECT_EQ(hasher.finish(), Digest::of(DigestAlgorithm::kSha256, ""));
}

}  // namespace
}  // namespace wherry
