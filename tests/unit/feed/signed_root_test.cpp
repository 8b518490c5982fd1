#include <gtest/gtest.h>

#include "common/feed/signature.h"
#include "tests/unit/support/error_kind.h"

namespace wherry::feed {
namespace {

constexpr std::uint64_t kSize = 12'345'678;

TEST(SignedRoot, IsBelievedOfATrustedKeyForJustThat) {
  const SigningKey key = SigningKey::make();
  TrustedKeys keys;
  keys.add(key.public_key());
  const Hash root = hash_of("root");
  const std::string word = SignedRoot::sign("sha256:aa", kSize, root, key).encode();
  const auto believed = [&](const std::string& blob, std::uint64_t size, const Hash& of, const std::string& said) {
    const auto read = SignedRoot::decode(blob, size, of, said);
    return read && read->verify(keys);
  };
  EXPECT_TRUE(believed("sha256:aa", kSize, root, word));
  EXPECT_FALSE(believed("sha256:ab", kSize, root, word));
  EXPECT_FALSE(believed("sha256:aa", kSize + 1, root, word));
  EXPECT_FALSE(believed("sha256:aa", kSize, hash_of("other"), word));
  for (std::size_t i = 0; i < word.size(); ++i) {
    std::string changed = word;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(believed("sha256:aa", kSize, root, changed)) << i;
  }
  const std::string strangers = SignedRoot::sign("sha256:aa", kSize, root, SigningKey::make()).encode();
  EXPECT_FALSE(believed("sha256:aa", kSize, root, strangers));
}

TEST(SignedRoot, OfAnotherLengthIsNone) {
  const Hash root = hash_of("root");
  const std::string word = SignedRoot::sign("sha256:aa", kSize, root, SigningKey::make()).encode();
  for (std::size_t length = 0; length < word.size(); ++length)
    EXPECT_EQ(testing::kind_of(SignedRoot::decode("sha256:aa", kSize, root, word.substr(0, length))),
              ErrorKind::kInvalid);
  EXPECT_EQ(testing::kind_of(SignedRoot::decode("sha256:aa", kSize, root, word + "x")), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::feed
