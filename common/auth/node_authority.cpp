#include "common/auth/node_authority.h"

#include "common/auth/openssl_types.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/files.h"
#include "common/base/random.h"
#include "common/base/sha256.h"

namespace wherry::auth {
namespace {

constexpr std::size_t kMaxFileBytes = 64 * 1024;
constexpr std::size_t kMaxRequestBytes = 16 * 1024;
constexpr const char* kAuthorityName = "Wherry nodes";
constexpr std::chrono::days kAuthorityValidity{365 * 20};
constexpr std::chrono::hours kClockSlack{24};  // a node whose clock is behind can use its certificate at once

void set_time(ASN1_TIME* into, WallTime time) { ::ASN1_TIME_set(into, std::chrono::system_clock::to_time_t(time)); }

void set_serial(X509* certificate) {
  std::array<std::byte, 16> bytes{};
  fill_random(bytes);
  bytes[0] &= std::byte{0x7F};  // a serial number is positive
  const Owned<BIGNUM> number(
      ::BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), nullptr));
  ::BN_to_ASN1_INTEGER(number.get(), ::X509_get_serialNumber(certificate));
}

void add_extension(X509* certificate, int which, const char* value) {
  const Owned<X509_EXTENSION> extension(::X509V3_EXT_conf_nid(nullptr, nullptr, which, value));
  WHERRY_CHECK(extension && ::X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_name(X509_NAME* into, const std::string& name) {
  WHERRY_CHECK(::X509_NAME_add_entry_by_txt(into, "CN", MBSTRING_UTF8,
                                            reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1);
}

/// An unsigned certificate, and with it a signed one.
struct Draft {
  std::shared_ptr<X509> certificate{::X509_new(), ::X509_free};

  Draft(const std::string& subject, const std::string& issuer, EVP_PKEY* key, WallTime from, WallTime to) {
    ::X509_set_version(certificate.get(), X509_VERSION_3);
    set_serial(certificate.get());
    set_name(::X509_get_subject_name(certificate.get()), subject);
    set_name(::X509_get_issuer_name(certificate.get()), issuer);
    set_time(::X509_getm_notBefore(certificate.get()), from);
    set_time(::X509_getm_notAfter(certificate.get()), to);
    ::X509_set_pubkey(certificate.get(), key);
  }
  std::shared_ptr<X509> sign(EVP_PKEY* key) {
    WHERRY_CHECK(::X509_sign(certificate.get(), key, ::EVP_sha256()) > 0);
    return certificate;
  }
};

Result<Owned<X509_REQ>> read_request(std::string_view pem) {
  Owned<X509_REQ> request;
  if (pem.size() <= kMaxRequestBytes) {
    const auto bio = reader(pem);
    request.reset(::PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  }
  EVP_PKEY* key = request ? ::X509_REQ_get0_pubkey(request.get()) : nullptr;
  const Error wrong(ErrorKind::kInvalid, "that is no request for a certificate, or not one of its own key");
  if (key == nullptr) return wrong;
  // Before the signature: checking one of another kind can be made to cost seconds.
  if (::EVP_PKEY_get_id(key) != EVP_PKEY_EC || ::EVP_PKEY_get_bits(key) != 256)
    return Error(ErrorKind::kInvalid, "a node's key is an EC key on P-256");
  if (::X509_REQ_verify(request.get(), key) != 1) return wrong;
  return request;
}

}  // namespace

Result<NodeAuthority> NodeAuthority::load_or_make(const std::string& path) {
  auto content = read_small_file(path, kMaxFileBytes);
  if (!content && content.error().kind() != ErrorKind::kNotFound) return content.error();
  if (!content) {
    const NodeKey key = NodeKey::make();
    EVP_PKEY* const own = key.key_.get();
    const WallTime now = Clock::system().wall();
    Draft draft(kAuthorityName, kAuthorityName, own, now - kClockSlack, now + kAuthorityValidity);
    add_extension(draft.certificate.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(draft.certificate.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    content = key.pem() + NodeCertificate(draft.sign(own)).pem();
    auto saved = replace_secret_file(path, *content);
    if (!saved) return saved.error();
  }
  auto key = NodeKey::from_pem(*content);
  if (!key) return Error(ErrorKind::kInvalid, "{}: {}", path, key.error().message());
  auto certificate = NodeCertificate::from_pem(*content);
  if (!certificate) return Error(ErrorKind::kInvalid, "{}: {}", path, certificate.error().message());
  return NodeAuthority(std::move(*key), std::move(*certificate));
}

Result<NodeCertificate> NodeAuthority::certify(std::string_view request_pem, const std::string& name,
                                               const std::vector<std::string>& projects, WallTime now) const {
  std::string names = "DNS:" + name;
  for (const std::string& project : projects) {
    WHERRY_CHECK(is_project_pattern(project));
    names.append(",URI:").append(kProjectUri).append(project);
  }
  return issue(request_pem, name, names, now, kNodeValidity);
}

Result<NodeCertificate> NodeAuthority::certify_member(std::string_view request_pem, const std::string& swarm,
                                                      WallTime now, std::chrono::hours validity) const {
  return issue(request_pem, swarm, {}, now, validity);
}

Result<NodeCertificate> NodeAuthority::issue(std::string_view request_pem, const std::string& name,
                                             const std::string& names, WallTime now,
                                             std::chrono::hours validity) const {
  auto request = read_request(request_pem);
  if (!request) return request.error();
  Draft draft(name, kAuthorityName, ::X509_REQ_get0_pubkey(request->get()), now - kClockSlack, now + validity);
  add_extension(draft.certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(draft.certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(draft.certificate.get(), NID_ext_key_usage, "clientAuth,serverAuth");
  if (!names.empty()) add_extension(draft.certificate.get(), NID_subject_alt_name, names.c_str());
  return NodeCertificate(draft.sign(key_.key_.get()));
}

Result<std::string> NodeAuthority::key_of(std::string_view request_pem) {
  auto request = read_request(request_pem);
  if (!request) return request.error();
  unsigned char* bytes = nullptr;
  const int size = ::i2d_PUBKEY(::X509_REQ_get0_pubkey(request->get()), &bytes);
  WHERRY_CHECK(size > 0);
  const Sha256 hash = sha256({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
  ::OPENSSL_free(bytes);
  return to_hex(hash);
}

}  // namespace wherry::auth
