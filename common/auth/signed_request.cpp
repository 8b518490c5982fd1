#include "common/auth/signed_request.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <array>

#include "common/auth/known_certificates.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/sha256.h"
#include "common/net/address.h"

namespace wherry::auth {
namespace {

constexpr std::string_view kScheme = "Wherry-Node ";
constexpr std::size_t kMaxHeaderBytes = 8 * 1024;

std::string words_of(const RequestWords& words, std::int64_t millis) {
  return fmt::format("wherry node request 2\n{}\n{}\n{}\n{}\n{}", words.method, words.target, millis, words.client,
                     to_hex(sha256(words.body)));
}

/// The quoted value of one parameter; empty when it is not there.
std::string_view parameter(std::string_view header, std::string_view name) {
  const std::string begin = std::string(name) + "=\"";
  const auto at = header.find(begin);
  if (at == std::string_view::npos) return {};
  header.remove_prefix(at + begin.size());
  return header.substr(0, header.find('"'));
}

Error refused(std::string_view why) { return Error(ErrorKind::kUnauthorized, "the node's request: {}", why); }

}  // namespace

std::string sign_request(const NodeIdentity& identity, const RequestWords& words, WallTime now) {
  const std::int64_t millis = to_millis(now);
  return fmt::format(R"({}certificate="{}", time="{}", signature="{}")", kScheme,
                     to_base64(identity.certificate().der()), millis,
                     to_base64(identity.key().sign(words_of(words, millis))));
}

std::string secret_hash_of(std::string_view secret) { return to_hex(sha256(secret)); }

std::string join_proof(std::string_view secret_hash, std::string_view request_pem) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> proof{};
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), secret_hash.data(), static_cast<int>(secret_hash.size()),
         reinterpret_cast<const unsigned char*>(request_pem.data()), request_pem.size(), proof.data(), &size);
  return to_hex(std::as_bytes(std::span(proof)));
}

bool is_signed_request(std::string_view authorization) { return authorization.starts_with(kScheme); }

Result<NodeCertificate> check_request(std::string_view authorization, const RequestWords& words,
                                      const NodeCertificate& authority, WallTime now) {
  if (!is_signed_request(authorization) || authorization.size() > kMaxHeaderBytes)
    return refused("it is not signed by a node");
  const auto millis = parse_decimal(parameter(authorization, "time"), INT64_MAX / 2);
  if (!millis) return refused("its Authorization header is not in its form");
  static thread_local KnownCertificates certificates;
  auto known = certificates.find(parameter(authorization, "certificate"), authority, now);
  if (!known) return known.error();
  const std::string signed_words = words_of(words, static_cast<std::int64_t>(*millis));
  if (!(*known)->has_signed(signed_words, parameter(authorization, "signature")))
    return refused("its signature is wrong");
  const auto skew = now - from_millis(static_cast<std::int64_t>(*millis));
  if (skew > kMostSkew || skew < -kMostSkew)
    return refused("its time is more than five minutes from this server's: set the clock");
  return (*known)->certificate();
}

Result<NodeCertificate> check_request(const http::Request& request, std::string_view body,
                                      const NodeCertificate& authority, WallTime now) {
  const std::string target = request.target();
  return check_request(request.header("authorization"), {request.method, target, body, request.header(kClientHeader)},
                       authority, now);
}

bool is_client_address(std::string_view text) {
  const auto address = SocketAddress::parse(fmt::format("{}:0", text));
  return address && address->to_string() == fmt::format("{}:0", text);
}

}  // namespace wherry::auth
