// Owners of OpenSSL's objects. Internal to this room.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace wherry::auth {

struct FreeOpenssl {
  void operator()(BIO* object) const { ::BIO_free(object); }
  void operator()(EVP_MD_CTX* object) const { ::EVP_MD_CTX_free(object); }
  void operator()(X509_REQ* object) const { ::X509_REQ_free(object); }
  void operator()(X509_EXTENSION* object) const { ::X509_EXTENSION_free(object); }
  void operator()(GENERAL_NAMES* object) const { ::GENERAL_NAMES_free(object); }
  void operator()(BIGNUM* object) const { ::BN_free(object); }
};
template <class T>
using Owned = std::unique_ptr<T, FreeOpenssl>;

/// A text for OpenSSL to read; valid as long as the text.
inline Owned<BIO> reader(std::string_view text) {
  return Owned<BIO>(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}
inline Owned<BIO> writer() { return Owned<BIO>(::BIO_new(::BIO_s_mem())); }
inline std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = ::BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace wherry::auth
