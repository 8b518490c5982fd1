#include "common/net/tls_identity.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <ctime>
#include <string_view>

namespace wherry {
namespace {

/// AES with 128 bits first: it is as safe as the rest and costs a quarter less than with 256.
constexpr const char* kCiphers13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
/// Of TLS 1.2, what Mozilla's "intermediate" list has: forward secrecy and authenticated encryption alone.
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
/// Tickets after a handshake of TLS 1.3. Each client's connections but the first may use one; OpenSSL's two cost more.
constexpr std::size_t kTickets = 1;

/// What OpenSSL says of its last failure, in its own words.
std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "it cannot be read" : reason;
}

Error wrong(const std::string& file, std::string_view what) {
  return Error(ErrorKind::kInvalid, "{}: {}: {}", file, what, openssl_reason());
}

/// HTTP/1.1, if the client names it; what it names else is not refused, for it may do without.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                    unsigned int offered_bytes, void*) {
  static constexpr std::string_view kHttp = "http/1.1";
  for (unsigned int at = 0; at < offered_bytes;) {
    const unsigned int bytes = offered[at++];
    if (bytes > offered_bytes - at) return SSL_TLSEXT_ERR_NOACK;
    if (std::string_view(reinterpret_cast<const char*>(offered + at), bytes) == kHttp) {
      *chosen = offered + at;
      *chosen_bytes = static_cast<unsigned char>(bytes);
      return SSL_TLSEXT_ERR_OK;
    }
    at += bytes;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

std::time_t end_of(const X509* certificate) {
  std::tm time{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return 0;
  return ::timegm(&time);
}

Result<void> set_rules(SSL_CTX* context, const TlsFiles& files) {
  SSL_CTX_set_min_proto_version(context, files.oldest == TlsFiles::Version::k1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
  if (files.kernel) SSL_CTX_set_options(context, SSL_OP_ENABLE_KTLS);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets alone: no memory a session
  SSL_CTX_set_num_tickets(context, kTickets);
  unsigned char session_context[SSL_MAX_SID_CTX_LENGTH];
  const bool set = SSL_CTX_set_ciphersuites(context, kCiphers13) == 1 &&
                   SSL_CTX_set_cipher_list(context, kCiphers12) == 1 &&
                   RAND_bytes(session_context, sizeof(session_context)) == 1 &&
                   SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context)) == 1;
  if (!set) return Error(ErrorKind::kInternal, "OpenSSL cannot be set up: {}", openssl_reason());
  return {};
}

}  // namespace

Result<std::shared_ptr<TlsIdentity>> TlsIdentity::load(TlsFiles files) {
  std::shared_ptr<TlsIdentity> identity(new TlsIdentity(std::move(files)));
  if (auto read = identity->read(); !read) return read.error();
  return identity;
}

TlsIdentity::Stamps TlsIdentity::stamps() const {
  Stamps stamps{};
  const std::array<const std::string*, 3> names = {&files_.certificate, &files_.key, &files_.client_ca};
  for (std::size_t i = 0; i < names.size(); ++i) {
    struct stat found{};
    if (names[i]->empty() || ::stat(names[i]->c_str(), &found) != 0) continue;
    stamps[i] = {found.st_dev, found.st_ino, found.st_ctim.tv_sec * std::int64_t{1'000'000'000} + found.st_ctim.tv_nsec,
                 found.st_size};
  }
  return stamps;
}

Result<void> TlsIdentity::read() {
  read_ = stamps();
  ERR_clear_error();
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
  if (context == nullptr) return Error(ErrorKind::kInternal, "OpenSSL cannot be set up: {}", openssl_reason());
  if (auto set = set_rules(context.get(), files_); !set) return set;
  // A key that is encrypted would be asked for on the terminal otherwise.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_certificate_chain_file(context.get(), files_.certificate.c_str()) != 1)
    return wrong(files_.certificate, "is no certificate in PEM form");
  if (SSL_CTX_use_PrivateKey_file(context.get(), files_.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return wrong(files_.key, "is no unencrypted private key in PEM form for the certificate");
  if (SSL_CTX_check_private_key(context.get()) != 1) return wrong(files_.key, "is not the key of the certificate");
  if (!files_.client_ca.empty()) {
    auto* names = SSL_load_client_CA_file(files_.client_ca.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(context.get(), files_.client_ca.c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return wrong(files_.client_ca, "has no certificates of authorities in PEM form");
    }
    SSL_CTX_set_client_CA_list(context.get(), names);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  not_after_.store(end_of(SSL_CTX_get0_certificate(context.get())), std::memory_order_relaxed);
  context_.store(std::move(context), std::memory_order_release);
  return {};
}

Result<bool> TlsIdentity::reload(Reading reading) {
  if (reading == Reading::kIfChanged && stamps() == read_) return false;
  if (auto done = read(); !done) return done.error();
  return true;
}

}  // namespace wherry
