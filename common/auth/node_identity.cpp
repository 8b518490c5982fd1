#include "common/auth/node_identity.h"

#include <algorithm>
#include <ctime>

#include "common/auth/openssl_types.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/files.h"

namespace wherry::auth {
namespace {

constexpr std::size_t kMaxIdentityBytes = 64 * 1024;

WallTime time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (::ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::time_point_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::from_time_t(::timegm(&parts)));
}

Error unauthorized(std::string_view why) { return Error(ErrorKind::kUnauthorized, "the node's certificate {}", why); }

}  // namespace

bool is_node_name(std::string_view name) {
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, fits) && name.front() != '-' &&
         name.back() != '-';
}

bool is_project_pattern(std::string_view pattern) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '*';
  };
  return !pattern.empty() && pattern.size() <= 128 && std::ranges::all_of(pattern, fits);
}

NodeCertificate::NodeCertificate(std::shared_ptr<x509_st> certificate) : certificate_(std::move(certificate)) {
  const X509_NAME* subject = ::X509_get_subject_name(certificate_.get());
  const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) {
    const ASN1_STRING* text = ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at));
    name_.assign(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(text)),
                 static_cast<std::size_t>(::ASN1_STRING_length(text)));
  }
  const Owned<BIGNUM> serial(::ASN1_INTEGER_to_BN(::X509_get0_serialNumber(certificate_.get()), nullptr));
  char* hex = serial ? ::BN_bn2hex(serial.get()) : nullptr;
  if (hex != nullptr) serial_ = hex;
  ::OPENSSL_free(hex);
  not_before_ = time_of(::X509_get0_notBefore(certificate_.get()));
  not_after_ = time_of(::X509_get0_notAfter(certificate_.get()));
  const Owned<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate_.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* each = sk_GENERAL_NAME_value(names.get(), i);
    if (each->type != GEN_URI) continue;
    const std::string_view uri(
        reinterpret_cast<const char*>(::ASN1_STRING_get0_data(each->d.uniformResourceIdentifier)),
        static_cast<std::size_t>(::ASN1_STRING_length(each->d.uniformResourceIdentifier)));
    if (uri.starts_with(kProjectUri)) projects_.emplace_back(uri.substr(kProjectUri.size()));
  }
}

Result<NodeCertificate> NodeCertificate::from_pem(std::string_view pem) {
  const auto bio = reader(pem);
  std::shared_ptr<x509_st> read(::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), ::X509_free);
  if (!read) return Error(ErrorKind::kInvalid, "that is no certificate in PEM form");
  return NodeCertificate(std::move(read));
}

Result<NodeCertificate> NodeCertificate::from_der(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const auto* const end = at + der.size();
  std::shared_ptr<x509_st> read(::d2i_X509(nullptr, &at, static_cast<long>(der.size())), ::X509_free);
  if (!read || at != end) return Error(ErrorKind::kInvalid, "that is no certificate in DER form");
  return NodeCertificate(std::move(read));
}

std::string NodeCertificate::pem() const {
  const auto bio = writer();
  WHERRY_CHECK(::PEM_write_bio_X509(bio.get(), certificate_.get()) == 1);
  return text_of(bio.get());
}

std::string NodeCertificate::der() const {
  unsigned char* bytes = nullptr;
  const int size = ::i2d_X509(certificate_.get(), &bytes);
  WHERRY_CHECK(size > 0);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  ::OPENSSL_free(bytes);
  return der;
}

Result<void> NodeCertificate::check(const NodeCertificate& authority, WallTime now) const {
  auto issued = check_issuer(authority);
  if (!issued) return issued;
  return check_time(now);
}

Result<void> NodeCertificate::check_issuer(const NodeCertificate& authority) const {
  if (::X509_verify(certificate_.get(), ::X509_get0_pubkey(authority.certificate_.get())) != 1)
    return unauthorized("was not issued by this registry's authority");
  if (::X509_check_ca(certificate_.get()) != 0 || !is_node_name(name_)) return unauthorized("is not that of a node");
  return {};
}

Result<void> NodeCertificate::check_time(WallTime now) const {
  if (now > not_after_) return unauthorized("has expired");
  if (now + std::chrono::minutes(5) < not_before_) return unauthorized("does not hold yet: is the clock right?");
  return {};
}

bool NodeCertificate::verify(std::string_view message, std::string_view signature) const {
  const Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, ::EVP_sha256(), nullptr,
                                ::X509_get0_pubkey(certificate_.get())) == 1 &&
         ::EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                            reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

NodeKey NodeKey::make() {
  std::shared_ptr<evp_pkey_st> key(::EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"), ::EVP_PKEY_free);
  WHERRY_CHECK(key != nullptr);
  return NodeKey(std::move(key));
}

Result<NodeKey> NodeKey::from_pem(std::string_view pem) {
  const auto bio = reader(pem);
  std::shared_ptr<evp_pkey_st> key(::PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), ::EVP_PKEY_free);
  if (!key || ::EVP_PKEY_get_id(key.get()) != EVP_PKEY_EC)
    return Error(ErrorKind::kInvalid, "that is no EC private key in PEM form");
  return NodeKey(std::move(key));
}

std::string NodeKey::pem() const {
  const auto bio = writer();
  WHERRY_CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return text_of(bio.get());
}

std::string NodeKey::sign(std::string_view message) const {
  const Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(message.data());
  WHERRY_CHECK(::EVP_DigestSignInit(context.get(), nullptr, ::EVP_sha256(), nullptr, key_.get()) == 1 &&
               ::EVP_DigestSign(context.get(), nullptr, &size, bytes, message.size()) == 1);
  std::string signature(size, '\0');
  WHERRY_CHECK(::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes,
                                message.size()) == 1);
  signature.resize(size);
  return signature;
}

std::string NodeKey::certificate_request(const std::string& name) const {
  const Owned<X509_REQ> request(::X509_REQ_new());
  X509_NAME* subject = ::X509_REQ_get_subject_name(request.get());
  const bool made =
      ::X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(name.c_str()),
                                   -1, -1, 0) == 1 &&
      ::X509_REQ_set_pubkey(request.get(), key_.get()) == 1 &&
      ::X509_REQ_sign(request.get(), key_.get(), ::EVP_sha256()) > 0;
  WHERRY_CHECK(made);
  const auto bio = writer();
  WHERRY_CHECK(::PEM_write_bio_X509_REQ(bio.get(), request.get()) == 1);
  return text_of(bio.get());
}

Result<std::optional<NodeIdentity>> NodeIdentity::load(const std::string& path) {
  auto content = read_small_file(path, kMaxIdentityBytes);
  if (!content && content.error().kind() == ErrorKind::kNotFound) return std::optional<NodeIdentity>();
  if (!content) return content.error();
  const auto invalid = [&](const Error& error) { return Error(ErrorKind::kInvalid, "{}: {}", path, error.message()); };
  constexpr std::string_view kEnd = "-----END CERTIFICATE-----";
  auto key = NodeKey::from_pem(*content);
  if (!key) return invalid(key.error());
  auto certificate = NodeCertificate::from_pem(*content);
  if (!certificate) return invalid(certificate.error());
  const auto end = content->find(kEnd);
  auto authority = NodeCertificate::from_pem(std::string_view(*content).substr(end + kEnd.size()));
  if (!authority) return invalid(authority.error());
  return std::optional<NodeIdentity>(NodeIdentity(std::move(*key), std::move(*certificate), std::move(*authority)));
}

Result<void> NodeIdentity::save(const std::string& path) const {
  return replace_secret_file(path, key_.pem() + certificate_.pem() + authority_.pem());
}

}  // namespace wherry::auth
