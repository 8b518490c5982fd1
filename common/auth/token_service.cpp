#include "common/auth/token_service.h"

#include <nlohmann/json.hpp>

#include "common/auth/signed_request.h"
#include "common/http/uri.h"
#include "common/oci/error_body.h"
#include "common/oci/reference.h"

namespace wherry::auth {
namespace {

constexpr std::string_view kForm = "application/x-www-form-urlencoded";

std::string value_of(std::string_view form, std::string_view name) {
  return http::query_value(form, name).value_or(std::string());
}

/// In a form a space may be a plus (which a query value keeps).
std::string without_pluses(std::string_view form) {
  std::string text;
  for (const char c : form) c == '+' ? text.append("%20") : text.append(1, c);
  return text;
}

void read_scopes(std::string_view form, std::vector<Scope>& scopes) {
  for (const std::string& text : http::query_values(form, "scope"))
    for (Scope& scope : Scope::parse_all(text))
      if (scopes.size() < Scope::kMostScopes) scopes.push_back(std::move(scope));
}

Result<TokenRequest> read_get(const http::Request& request) {
  TokenRequest read;
  const std::string_view authorization = request.header("authorization");
  if (!authorization.empty()) {
    read.credentials = basic_credentials(authorization);
    if (!read.credentials)
      return Error(ErrorKind::kUnauthorized, "the Authorization header does not hold a name and a password");
  }
  const std::string query = without_pluses(request.query);
  read_scopes(query, read.scopes);
  read.client = value_of(query, "client_id");
  read.wants_refresh_token = value_of(query, "offline_token") == "true";
  return read;
}

Result<TokenRequest> read_post(const std::string& body) {
  const std::string form = without_pluses(body);
  TokenRequest read;
  read_scopes(form, read.scopes);
  read.client = value_of(form, "client_id");
  read.wants_refresh_token = value_of(form, "access_type") == "offline";
  const std::string type = value_of(form, "grant_type");
  if (type == "password") {
    read.credentials = std::pair(value_of(form, "username"), value_of(form, "password"));
  } else if (type == "refresh_token") {
    read.refresh_token = value_of(form, "refresh_token");
    if (read.refresh_token.empty()) return Error(ErrorKind::kUnauthorized, "no refresh token was sent");
  } else {
    return Error(ErrorKind::kInvalid, "grant_type is neither password nor refresh_token");
  }
  return read;
}

}  // namespace

std::vector<TokenAccess> granted_access(const Policy& policy, const Identity& who, const std::vector<Scope>& scopes) {
  std::vector<TokenAccess> granted;
  for (const Scope& asked : scopes) {
    TokenAccess access{.scope = asked, .project_id = {}};
    if (asked.type == kRepositoryScope) {
      if (!RepositoryName::parse(asked.name)) continue;
      access.scope.actions = allowed_actions(asked.actions, policy.allowed(who, asked.name));
      if (const ProjectPolicy* project = policy.project(project_of(asked.name))) access.project_id = project->id();
    } else {
      const bool is_known = asked.type == kRegistryScope && (asked.name == kCatalogName || asked.name == kApiName);
      if (!is_known || who.is_anonymous()) continue;
      access.scope.actions = asked.actions & static_cast<std::uint8_t>(Scope::Action::kAny);
    }
    if (access.scope.actions != 0) granted.push_back(std::move(access));
  }
  return granted;
}

std::string token_document(const IssuedToken& issued) {
  nlohmann::json document = {{"token", issued.token},
                             {"access_token", issued.token},
                             {"expires_in", issued.lasts.count()},
                             {"issued_at", to_rfc3339(issued.issued)},
                             {"token_type", "Bearer"}};
  if (!issued.refresh_token.empty()) document["refresh_token"] = issued.refresh_token;
  return document.dump();
}

Task<Result<void>> TokenService::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  if (request.path != TokenGate::kTokenPath) co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
  Result<TokenRequest> asked = Error(ErrorKind::kUnsupported, "tokens are asked for by GET and POST");
  std::string via;
  if (request.method == "GET") {
    asked = read_get(request);
  } else if (request.method == "POST") {
    if (!request.header("content-type").starts_with(kForm))
      co_return Error(ErrorKind::kInvalid, "a form is expected: Content-Type {}", kForm);
    auto body = co_await exchange.read_whole_body(kMaxFormBytes);
    if (!body) co_return body.error();
    asked = read_post(*body);
    if (is_client_address(request.header(kClientHeader))) via = signer_(request, *body);
  }
  if (!asked) co_return asked.error();
  if (via.empty())
    asked->remote = address_of(exchange.remote());
  else
    asked->remote = request.header(kClientHeader);
  asked->via = std::move(via);
  auto issued = co_await issuer_.issue(*asked);
  if (!issued) co_return issued.error();
  http::Response response(200);
  response.header("Cache-Control", "no-store").body("application/json", token_document(*issued));
  co_return co_await exchange.send(std::move(response));
}

http::Response TokenService::render(const Error& error) const {
  http::Response response(http_status(error.kind()));
  response.header("Cache-Control", "no-store");
  if (error.kind() == ErrorKind::kUnauthorized) response.header("WWW-Authenticate", R"(Basic realm="wherry")");
  if (error.retry_after()) response.header("Retry-After", std::to_string(error.retry_after()->count()));
  response.body("application/json", error_body(error));
  return response;
}

}  // namespace wherry::auth
