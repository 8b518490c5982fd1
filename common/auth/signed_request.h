// SignedRequest: how a node shows who it is with a request.
#pragma once

#include <string>
#include <string_view>

#include "common/auth/node_identity.h"
#include "common/http/request.h"

namespace wherry::auth {

/// In which a node that passes a login on tells the address of the client that it is of, without a port. It counts for
/// nothing unless a node's signature covers it.
inline constexpr std::string_view kClientHeader = "Wherry-Client";

/// What a signature covers. `target` is path and query as sent, `client` the value of kClientHeader (empty: none).
struct RequestWords {
  std::string_view method;
  std::string_view target;
  std::string_view body;
  std::string_view client = {};
};

/// The value of an Authorization header for that request at that time.
std::string sign_request(const NodeIdentity& identity, const RequestWords& words, WallTime now);

/// What proves that who asks for a certificate knows the secret of a join token, without telling it to whoever passes
/// the request on: HMAC-SHA-256 of the request, keyed with `secret_hash`, the secret's SHA-256 as hexadecimal.
std::string join_proof(std::string_view secret_hash, std::string_view request_pem);
/// SHA-256 as hexadecimal: what the master keeps of a secret.
std::string secret_hash_of(std::string_view secret);

/// How far the two clocks may be apart. A request that somebody else recorded can be repeated within that time by who
/// sees it on the way: TLS is what keeps them from it.
inline constexpr std::chrono::minutes kMostSkew{5};

/// True when a header is of this scheme.
bool is_signed_request(std::string_view authorization);

/// True for an address that a node may tell of a client: as this software writes it, "192.0.2.7" or "[2001:db8::7]".
bool is_client_address(std::string_view text);

/// The certificate that a header shows, once its signature, its issuer and its times were checked. Errors:
/// kUnauthorized, saying why.
Result<NodeCertificate> check_request(std::string_view authorization, const RequestWords& words,
                                      const NodeCertificate& authority, WallTime now);
/// The same for a request that has come, with all that a signature covers of it.
Result<NodeCertificate> check_request(const http::Request& request, std::string_view body,
                                      const NodeCertificate& authority, WallTime now);

}  // namespace wherry::auth
