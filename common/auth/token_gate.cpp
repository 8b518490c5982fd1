#include "common/auth/token_gate.h"

#include <span>
#include <utility>

#include "common/auth/jwt.h"
#include "common/auth/signed_request.h"
#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/sha256.h"

namespace wherry::auth {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kBasic = "Basic ";

bool has_scheme(std::string_view authorization, std::string_view scheme) {
  return authorization.size() >= scheme.size() &&
         http::equal_ignoring_case(authorization.substr(0, scheme.size()), scheme);
}

/// A quoted string of a header (RFC 9110 5.6.4).
void append_quoted(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append("=\"");
  for (const char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

bool is_revoked(const Policy& policy, const Claims& claims) {
  const Identity& who = claims.who;
  return policy.is_revoked(who.id, who.as_of) || (!claims.id.empty() && policy.is_revoked(claims.id, who.as_of));
}

Error revoked() {
  return Error(ErrorKind::kUnauthorized, "what you logged in with does not count any more: log in again");
}

}  // namespace

std::optional<std::pair<std::string, std::string>> basic_credentials(std::string_view authorization) {
  if (!has_scheme(authorization, kBasic)) return std::nullopt;
  const auto text = from_base64(authorization.substr(kBasic.size()));
  if (!text) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string::npos || text->find('\0') != std::string::npos) return std::nullopt;
  return std::pair(text->substr(0, colon), text->substr(colon + 1));
}

std::string address_of(std::string_view remote) { return std::string(remote.substr(0, remote.rfind(':'))); }

TokenGate::TokenGate(const PolicyBoard& board, Logins& logins, NodeCheck nodes, Options options,
                     std::vector<Loop*> loops)
    : board_(board),
      logins_(logins),
      nodes_(std::move(nodes)),
      options_(std::move(options)),
      seed_(random_hex(32)),
      parts_(std::move(loops)) {}

Result<Visitor> TokenGate::admitted(const std::shared_ptr<const Policy>& policy,
                                    std::shared_ptr<const Claims> claims) const {
  if (is_revoked(*policy, *claims)) return revoked();
  return visitor_of(policy, std::move(claims));
}

Visitor TokenGate::visitor_of(const std::shared_ptr<const Policy>& policy, std::shared_ptr<const Claims> claims) const {
  if (options_.is_public_only()) {
    static const auto anonymous = std::make_shared<const Claims>();
    return Visitor(policy, anonymous);
  }
  return Visitor(policy, std::move(claims));
}

Result<Visitor> TokenGate::by_token(Part& part, std::string_view token) {
  const auto& policy = part.view.of(board_);
  const WallTime now = Clock::system().wall();
  TokenMemory::Known* known = part.tokens.find(token, policy->shared_settings(), now);
  if (known == nullptr) {
    auto read = read_claims(token, policy->settings(), now);
    if (!read && options_.own_key != nullptr && kid_of_jwt(token) == options_.own_key->kid())
      read = read_claims(token, policy->settings().service, std::span(options_.own_key, 1), now);
    if (!read) return read.error();
    known = &part.tokens.keep(token, policy->shared_settings(), std::make_shared<const Claims>(std::move(*read)));
  }
  // Whether it was revoked is asked once of each policy: the answer cannot change within one.
  if (known->counted_by != part.view.version()) {
    if (is_revoked(*policy, *known->claims)) return revoked();
    known->counted_by = part.view.version();
  }
  return visitor_of(policy, known->claims);
}

std::optional<Result<Visitor>> TokenGate::try_admit(const http::Exchange& exchange) {
  Part& part = parts_.here();
  const auto& policy = part.view.of(board_);
  if (!policy->is_known())
    return Error(ErrorKind::kUnavailable, "who may do what is not known here yet: the feed has not brought it");
  const std::string_view authorization = exchange.request().header("authorization");
  if (authorization.empty()) return Visitor(policy, nullptr);
  if (has_scheme(authorization, kBearer)) return by_token(part, authorization.substr(kBearer.size()));
  if (has_scheme(authorization, kBasic)) return std::nullopt;
  if (!is_signed_request(authorization))
    return Error(ErrorKind::kUnauthorized, "the Authorization header is neither Bearer nor Basic");
  auto node = nodes_ ? nodes_(exchange) : Result<std::optional<Identity>>(std::nullopt);
  if (!node) return node.error();
  if (!*node) return Error(ErrorKind::kUnauthorized, "no node is known here");
  Claims claims;
  claims.who = std::move(**node);
  claims.is_unlimited = true;
  return admitted(policy, std::make_shared<const Claims>(std::move(claims)));
}

Result<Visitor> TokenGate::renewed(const Visitor& visitor) {
  const auto& policy = parts_.here().view.of(board_);
  if (visitor.claims() == nullptr) return Visitor(policy, nullptr);
  return admitted(policy, visitor.shared_claims());
}

Task<Result<Visitor>> TokenGate::admit(const http::Exchange& exchange) {
  const std::string_view authorization = exchange.request().header("authorization");
  co_return co_await by_password(authorization, address_of(exchange.remote()));
}

Task<Result<Visitor>> TokenGate::by_password(std::string_view header, std::string remote) {
  auto credentials = basic_credentials(header);
  if (!credentials) co_return Error(ErrorKind::kUnauthorized, "the Authorization header cannot be read");
  const Sha256 hash = sha256(seed_, header);
  const std::string key = to_hex(hash);
  {
    Part& part = parts_.here();
    const auto known = part.passwords.find(key);
    if (known != part.passwords.end() && known->second.until > Clock::system().monotonic()) {
      auto still = admitted(part.view.of(board_), known->second.claims);
      if (still) co_return still;
    }
  }
  LoginAttempt attempt;
  attempt.name = std::move(credentials->first);
  attempt.password = std::move(credentials->second);
  attempt.remote = std::move(remote);
  auto identity = co_await logins_.log_in(attempt);
  if (!identity) co_return identity.error();
  Claims made;
  made.who = std::move(*identity);
  made.is_unlimited = true;
  auto claims = std::make_shared<const Claims>(std::move(made));
  Part& part = parts_.here();
  if (part.passwords.size() >= kMostPasswords) part.passwords.clear();
  part.passwords.insert_or_assign(key, Remembered{claims, Clock::system().monotonic() + kPasswordMemory});
  co_return admitted(part.view.of(board_), std::move(claims));
}

std::string TokenGate::challenge(const http::Request& request, std::string_view scope, std::string_view error) const {
  std::string realm = options_.url;
  if (realm.empty()) realm.append(options_.tls ? "https://" : "http://").append(request.host);
  realm.append(kTokenPath);
  std::string text(kBearer);
  append_quoted(text, "realm", realm);
  PolicyBoard::View view;
  const auto& policy = view.of(board_);
  append_quoted(text, ",service", policy->is_known() ? policy->settings().service : "wherry");
  if (!scope.empty()) append_quoted(text, ",scope", scope);
  if (!error.empty()) append_quoted(text, ",error", error);
  return text;
}

}  // namespace wherry::auth
