#include "common/base/sha256.h"

#include <openssl/evp.h>

#include <memory>

#include "common/base/check.h"

namespace wherry {

Sha256 sha256(std::string_view first, std::string_view second) {
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  };
  static const EVP_MD* const algorithm = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(::EVP_MD_CTX_new());
  Sha256 hash{};
  const bool hashed = ::EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                      ::EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1 &&
                      ::EVP_DigestUpdate(context.get(), second.data(), second.size()) == 1 &&
                      ::EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()), nullptr) == 1;
  WHERRY_CHECK(hashed);
  return hash;
}

}  // namespace wherry
