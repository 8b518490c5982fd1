#include "common/feed/set_digest.h"

#include <openssl/evp.h>

#include <bit>
#include <memory>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry::feed {

void SetDigest::stretch(std::string_view element, Stretched& lanes) {
  struct Free {
    void operator()(EVP_CIPHER_CTX* context) const { ::EVP_CIPHER_CTX_free(context); }
    void operator()(EVP_CIPHER* cipher) const { ::EVP_CIPHER_free(cipher); }
  };
  thread_local const std::unique_ptr<EVP_CIPHER_CTX, Free> context(::EVP_CIPHER_CTX_new());
  thread_local const std::unique_ptr<EVP_CIPHER, Free> cipher(::EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr));
  static constexpr std::array<unsigned char, kStateBytes> kZeros{};
  static constexpr std::array<unsigned char, 16> kStart{};  // a key is used for one stream
  const Hash key = hash_of(element);
  int written = 0;
  const bool made =
      ::EVP_EncryptInit_ex2(context.get(), cipher.get(), reinterpret_cast<const unsigned char*>(key.data()),
                            kStart.data(), nullptr) == 1 &&
      ::EVP_EncryptUpdate(context.get(), reinterpret_cast<unsigned char*>(lanes.data()), &written, kZeros.data(),
                          static_cast<int>(kZeros.size())) == 1;
  WHERRY_CHECK(made && written == static_cast<int>(kStateBytes));
  if constexpr (std::endian::native == std::endian::big)
    for (std::uint16_t& lane : lanes) lane = static_cast<std::uint16_t>(lane << 8 | lane >> 8);
}

void SetDigest::add(std::string_view element) {
  Stretched lanes;
  stretch(element, lanes);
  for (std::size_t i = 0; i < kLanes; ++i) lanes_[i] = static_cast<std::uint16_t>(lanes_[i] + lanes[i]);
}

void SetDigest::remove(std::string_view element) {
  Stretched lanes;
  stretch(element, lanes);
  for (std::size_t i = 0; i < kLanes; ++i) lanes_[i] = static_cast<std::uint16_t>(lanes_[i] - lanes[i]);
}

std::string SetDigest::save() const {
  std::string saved(kStateBytes, '\0');
  for (std::size_t i = 0; i < kLanes; ++i) {
    saved[2 * i] = static_cast<char>(lanes_[i] >> 8);
    saved[2 * i + 1] = static_cast<char>(lanes_[i] & 0xFF);
  }
  return saved;
}

Result<SetDigest> SetDigest::load(std::string_view saved) {
  if (saved.size() != kStateBytes)
    return Error(ErrorKind::kCorrupt, "the digest of a project's names is damaged: it has {} bytes", saved.size());
  SetDigest digest;
  for (std::size_t i = 0; i < kLanes; ++i)
    digest.lanes_[i] = static_cast<std::uint16_t>(static_cast<unsigned char>(saved[2 * i]) << 8 |
                                                  static_cast<unsigned char>(saved[2 * i + 1]));
  return digest;
}

Hash SetDigest::digest() const { return hash_of(save()); }

}  // namespace wherry::feed
