#include "master/cli/api_client.h"

#include "common/auth/token_gate.h"
#include "common/base/base64.h"
#include "common/http/place.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "master/cli/session_file.h"

namespace wherry::master {
namespace {

constexpr std::size_t kShownBytes = 500;
constexpr const char* kApiScope = "&scope=registry:api:*";

http::ClientOptions client_options(const ServerOptions& options) {
  http::ClientOptions with;
  with.ca_file = options.ca_file;
  return with;
}

Error in_clear() {
  return Error(ErrorKind::kInvalid,
               "--server: passwords and sessions are not sent over a network in clear: name an https URL");
}

}  // namespace

ApiClient::ApiClient(const ServerOptions& options)
    : options_(options),
      server_(options.server),
      is_safe_(http::keeps_secrets(options.server)),
      client_(Loop::current(), client_options(options)) {
  while (server_.ends_with('/')) server_.pop_back();
}

Task<Result<api::Json>> ApiClient::ask_for_token(std::string form) {
  http::ClientRequest request("POST", server_ + std::string(auth::TokenGate::kTokenPath));
  request.header("Content-Type", "application/x-www-form-urlencoded");
  request.body(std::move(form));
  auto transfer = co_await client_.open(std::move(request));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxAnswerBytes);
  if (!body) co_return body.error();
  auto answer = api::Json::parse(*body, nullptr, false);
  if ((*transfer)->head().status() == 200 && answer.is_object()) co_return answer;
  std::string why = "it gives no token";
  if (answer.is_object() && answer.contains("errors") && answer["errors"].is_array() && !answer["errors"].empty() &&
      answer["errors"][0].is_object())
    why = printable(answer["errors"][0].value("message", why), kShownBytes);
  co_return Error(ErrorKind::kInvalid, "{}: {} ({})", server_, why, (*transfer)->head().status());
}

Task<Result<std::string>> ApiClient::log_in(std::string user, std::string password) {
  if (!is_safe_) co_return in_clear();
  auto answer = co_await ask_for_token(
      "grant_type=password&access_type=offline&client_id=wherry-master&username=" + http::percent_encode(user) +
      "&password=" + http::percent_encode(password) + kApiScope);
  if (!answer) co_return answer.error();
  if (!answer->contains("refresh_token") || !(*answer)["refresh_token"].is_string())
    co_return Error(ErrorKind::kInvalid, "{} begins no session", server_);
  co_return (*answer)["refresh_token"].get<std::string>();
}

Task<Result<std::optional<std::string>>> ApiClient::authorization() {
  if (options_.is_nobody || shown_) co_return shown_;
  if (!options_.user.empty()) {
    if (!is_safe_) co_return in_clear();
    auto password = read_password(options_.password_file, "password of " + options_.user);
    if (!password) co_return password.error();
    shown_ = "Basic " + to_base64(options_.user + ":" + *password);
    co_return shown_;
  }
  auto file = SessionFile::of_this_person();
  if (!file) co_return std::optional<std::string>();  // of a service, say: it logs in to nothing
  auto session = file->token_for(options_.server);
  if (!session) co_return session.error();
  if (!*session) co_return std::optional<std::string>();
  if (!is_safe_) co_return in_clear();
  auto answer = co_await ask_for_token(
      "grant_type=refresh_token&client_id=wherry-master&refresh_token=" + http::percent_encode(**session) + kApiScope);
  if (!answer) co_return answer.error();
  shown_ = "Bearer " + answer->value("access_token", std::string());
  co_return shown_;
}

Task<Result<api::Json>> ApiClient::ask(std::string method, std::string path, api::Json document) {
  auto shown = co_await authorization();
  if (!shown) co_return shown.error();
  http::ClientRequest request(std::move(method), server_ + path);
  if (*shown) request.header("Authorization", **shown);
  if (!document.is_null()) {
    request.header("Content-Type", "application/json");
    request.body(document.dump());
  } else if (request.method() != "GET") {
    request.header("Content-Length", "0");
  }
  auto transfer = co_await client_.open(std::move(request));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxAnswerBytes);
  if (!body) co_return body.error();
  const int status = (*transfer)->head().status();
  auto answer = body->empty() ? api::Json() : api::Json::parse(*body, nullptr, false);
  if (status < 400 && !answer.is_discarded()) co_return answer;
  std::string why = "it answered what is no document of this API";
  if (answer.is_object() && answer.contains("detail") && answer["detail"].is_string())
    why = printable(answer["detail"].get<std::string>(), kShownBytes);
  co_return Error(ErrorKind::kInvalid, "{}: {} ({})", server_, why, status);
}

Result<void> check(const ServerOptions& options) {
  if (!http::is_server_url(options.server))
    return Error(ErrorKind::kInvalid, "--server: {} is not a URL such as http://127.0.0.1:5000",
                 excerpt(options.server));
  return {};
}

}  // namespace wherry::master
