// Certificates of a test's own: an authority, and what it vouches for.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <memory>
#include <string>

#include "common/base/check.h"

namespace wherry::testing {

/// A certificate and its key on P-256, valid for an hour from yesterday on: signed by `signer`, or by itself and then
/// an authority.
class Certificate {
 public:
  explicit Certificate(const std::string& name, const Certificate* signer = nullptr,
                       std::chrono::seconds valid = std::chrono::hours(1))
      : key_(EVP_EC_gen("P-256"), &EVP_PKEY_free), certificate_(X509_new(), &X509_free) {
    static long serial = 0;
    X509* made = certificate_.get();
    X509_set_version(made, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made), -24 * 3600);
    X509_gmtime_adj(X509_getm_notAfter(made), valid.count());
    X509_set_pubkey(made, key_.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    const Certificate& by = signer == nullptr ? *this : *signer;
    X509_set_issuer_name(made, X509_get_subject_name(by.certificate_.get()));
    extend(signer == nullptr ? NID_basic_constraints : NID_subject_alt_name,
           signer == nullptr ? "critical,CA:TRUE" : "IP:127.0.0.1");
    WHERRY_CHECK(X509_sign(made, by.key_.get(), EVP_sha256()) > 0);
  }

  /// Writes it, and its key, as PEM.
  void write(const std::string& certificate_file, const std::string& key_file) const {
    write_to(certificate_file, [&](BIO* out) { return PEM_write_bio_X509(out, certificate_.get()); });
    write_to(key_file, [&](BIO* out) {
      return PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  X509* x509() const { return certificate_.get(); }
  EVP_PKEY* key() const { return key_.get(); }

 private:
  void extend(int what, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value);
    WHERRY_CHECK(extension != nullptr && X509_add_ext(certificate_.get(), extension, -1) == 1);
    X509_EXTENSION_free(extension);
  }
  template <class Write>
  static void write_to(const std::string& file, Write write) {
    BIO* out = BIO_new_file(file.c_str(), "w");
    WHERRY_CHECK(out != nullptr && write(out) == 1);
    BIO_free(out);
  }

  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace wherry::testing
