#include "master/identity/oidc/code_flow.h"

#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/sha256.h"
#include "common/oci/excerpt.h"

namespace wherry::identity::oidc {
namespace {

constexpr std::size_t kSecretBytes = 32;

/// Source: RFC 7636 4.2, "S256".
std::string challenge_of(const std::string& verifier) {
  const Sha256 hash = sha256(verifier);
  return to_base64url(as_text(hash));
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

}  // namespace

Task<Result<CodeFlow::Begun>> CodeFlow::begin(std::string redirect_uri) {
  auto metadata = co_await provider_.metadata();
  if (!metadata) co_return metadata.error();
  Login login;
  login.redirect_uri = std::move(redirect_uri);
  login.nonce = random_hex(kSecretBytes);
  login.verifier = random_hex(kSecretBytes);
  std::string query;
  add_parameter(query, "response_type", "code");
  add_parameter(query, "client_id", provider_.options().client_id);
  add_parameter(query, "redirect_uri", login.redirect_uri);
  add_parameter(query, "scope", joined(provider_.options().scopes));
  add_parameter(query, "nonce", login.nonce);
  add_parameter(query, "code_challenge", challenge_of(login.verifier));
  add_parameter(query, "code_challenge_method", "S256");
  Begun begun;
  begun.state = begun_.put(std::move(login), kLasts);
  add_parameter(query, "state", begun.state);
  const std::string& endpoint = (*metadata)->authorization_endpoint;
  begun.url = endpoint + (endpoint.find('?') == std::string::npos ? "?" : "&") + query;
  co_return begun;
}

Task<Result<MasterLogins::Person>> CodeFlow::finish(std::string state, std::string code) {
  auto login = begun_.take(state);
  if (!login) co_return Error(ErrorKind::kNotFound, "this login is over, or was never begun: begin again");
  if (code.empty() || code.size() > kMaxCodeBytes)
    co_return Error(ErrorKind::kUnauthorized, "the provider sent no code: begin again");
  std::string form;
  add_parameter(form, "grant_type", "authorization_code");
  add_parameter(form, "code", code);
  add_parameter(form, "redirect_uri", login->redirect_uri);
  add_parameter(form, "code_verifier", login->verifier);
  auto answer = co_await provider_.ask_token(std::move(form));
  if (!answer) co_return answer.error();
  if (!answer->refusal.empty())
    co_return Error(ErrorKind::kUnauthorized, "the provider refuses the code of this login ({}): begin again",
                    excerpt(answer->refusal));
  co_return co_await provider_.person_of(*answer, std::move(login->nonce));
}

}  // namespace wherry::identity::oidc
