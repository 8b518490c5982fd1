// What comparing a secret and checking a password ask of OpenSSL: nothing of it depends on where they differ.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/auth/password_hash.h"
#include "tests/unit/support/watched_crypto.h"

namespace wherry::auth {
namespace {

using testing::WatchedCrypto;
using Sizes = std::vector<std::size_t>;
using Costs = std::vector<std::uint64_t>;

TEST(Secrets, AreComparedAsAWholeInConstantTimeWhereverTheyDiffer) {
  const std::string secret(64, 'a');
  WatchedCrypto watched;
  EXPECT_TRUE(equal_secrets(secret, std::string(64, 'a')));
  EXPECT_EQ(watched.compared(), Sizes{64});
  for (const std::size_t at : {std::size_t{0}, std::size_t{31}, std::size_t{63}}) {
    std::string other = secret;
    other[at] = 'b';
    EXPECT_FALSE(equal_secrets(secret, other)) << at;
    EXPECT_EQ(watched.compared(), Sizes{64}) << at;
  }
  EXPECT_FALSE(equal_secrets(secret, secret + "a"));
  EXPECT_FALSE(equal_secrets(secret, ""));
}

TEST(Secrets, APasswordIsHashedOnceWhateverIsWrongWithIt) {
  const std::string hash = hash_password("correct horse");
  const std::string cheap = "$scrypt$ln=4,r=8,p=1$" + hash.substr(hash.rfind('$', hash.rfind('$') - 1) + 1);
  WatchedCrypto watched;
  EXPECT_TRUE(password_fits("correct horse", hash));
  const Costs one = watched.hashed();
  EXPECT_EQ(one, Costs{1 << 15});
  EXPECT_EQ(watched.compared(), Sizes{32});
  EXPECT_FALSE(password_fits("another horse", hash));
  EXPECT_EQ(watched.hashed(), one);
  EXPECT_EQ(watched.compared(), Sizes{32});
  for (const std::string& unreadable : {std::string(), std::string("$scrypt$"), hash.substr(1), hash + "x"}) {
    EXPECT_FALSE(password_fits("correct horse", unreadable)) << unreadable;
    EXPECT_EQ(watched.hashed(), one) << unreadable;
  }
  check_nothing("whatever");
  EXPECT_EQ(watched.hashed(), one);
  EXPECT_FALSE(password_fits("correct horse", cheap)) << "the cost that a hash states is the one that is paid";
  EXPECT_EQ(watched.hashed(), Costs{16});
}

}  // namespace
}  // namespace wherry::auth
