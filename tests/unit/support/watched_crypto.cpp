#include "tests/unit/support/watched_crypto.h"

#include <dlfcn.h>

#include <mutex>
#include <utility>

#include "common/base/check.h"

namespace wherry::testing {
namespace {

std::mutex g_mutex;
bool g_is_watched = false;
std::vector<std::size_t> g_compared;
std::vector<std::uint64_t> g_hashed;

template <class T>
void tell(std::vector<T>& those, T one) {
  const std::lock_guard lock(g_mutex);
  if (g_is_watched) those.push_back(one);
}

void watch(bool is_watched) {
  const std::lock_guard lock(g_mutex);
  WHERRY_CHECK(g_is_watched != is_watched);
  g_is_watched = is_watched;
  g_compared.clear();
  g_hashed.clear();
}

template <class T>
std::vector<T> take(std::vector<T>& those) {
  const std::lock_guard lock(g_mutex);
  return std::exchange(those, {});
}

}  // namespace

WatchedCrypto::WatchedCrypto() { watch(true); }
WatchedCrypto::~WatchedCrypto() { watch(false); }
std::vector<std::size_t> WatchedCrypto::compared() { return take(g_compared); }
std::vector<std::uint64_t> WatchedCrypto::hashed() { return take(g_hashed); }

}  // namespace wherry::testing

// In the place of those of libcrypto, whose header is not included here: it says more of them than is to be repeated.
extern "C" int CRYPTO_memcmp(const void* one, const void* other, std::size_t size) {
  using Compare = int (*)(const void*, const void*, std::size_t);
  static const auto real = reinterpret_cast<Compare>(::dlsym(RTLD_NEXT, "CRYPTO_memcmp"));
  wherry::testing::tell(wherry::testing::g_compared, size);
  return real(one, other, size);
}

extern "C" int EVP_PBE_scrypt(const char* password, std::size_t password_size, const unsigned char* salt,
                              std::size_t salt_size, std::uint64_t cost, std::uint64_t block, std::uint64_t parallel,
                              std::uint64_t memory, unsigned char* key, std::size_t key_size) {
  using Hash = int (*)(const char*, std::size_t, const unsigned char*, std::size_t, std::uint64_t, std::uint64_t,
                       std::uint64_t, std::uint64_t, unsigned char*, std::size_t);
  static const auto real = reinterpret_cast<Hash>(::dlsym(RTLD_NEXT, "EVP_PBE_scrypt"));
  wherry::testing::tell(wherry::testing::g_hashed, cost);
  return real(password, password_size, salt, salt_size, cost, block, parallel, memory, key, key_size);
}
