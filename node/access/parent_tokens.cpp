#include "node/access/parent_tokens.h"

#include <nlohmann/json.hpp>

#include "common/auth/signed_request.h"
#include "common/http/place.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"

namespace wherry::node {
namespace {

constexpr std::size_t kShownBytes = 300;

std::string form_of(const auth::TokenRequest& request) {
  std::string form = request.refresh_token.empty() ? "grant_type=password" : "grant_type=refresh_token";
  const auto add = [&](const char* name, const std::string& value) {
    form.append("&").append(name).append("=").append(http::percent_encode(value));
  };
  if (request.refresh_token.empty()) {
    add("username", request.credentials->first);
    add("password", request.credentials->second);
  } else {
    add("refresh_token", request.refresh_token);
  }
  for (const auth::Scope& scope : request.scopes) add("scope", scope.to_string());
  add("client_id", request.client);
  if (request.wants_refresh_token) add("access_type", "offline");
  return form;
}

/// The message of an OCI error body.
std::string message_in(const nlohmann::json& document) {
  const auto errors = document.is_object() ? document.find("errors") : document.end();
  if (errors == document.end() || !errors->is_array() || errors->empty() || !errors->front().is_object()) return {};
  const auto message = errors->front().find("message");
  return message != errors->front().end() && message->is_string() ? printable(message->get<std::string>(), kShownBytes)
                                                                  : std::string();
}

Error refused(int status, const nlohmann::json& document) {
  std::string message = message_in(document);
  if (message.empty()) message = "the master gives no token";
  switch (status) {
    case 401: return Error(ErrorKind::kUnauthorized, std::move(message));
    case 403: return Error(ErrorKind::kDenied, std::move(message));
    case 429: return Error(ErrorKind::kTooManyRequests, std::move(message)).with_retry_after(std::chrono::seconds(5));
    default: return Error(ErrorKind::kUnavailable, "the master cannot be asked who that is ({})", status);
  }
}

std::string text_at(const nlohmann::json& document, const char* member) {
  const auto found = document.find(member);
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

ParentTokens::ParentTokens(std::string parent_url, http::ClientOptions options, Membership& membership)
    : url_(parent_url + std::string(auth::TokenGate::kTokenPath)),
      is_safe_(http::keeps_secrets(parent_url)),
      options_(std::move(options)),
      membership_(membership),
      home_(Loop::current()) {}

Task<void> ParentTokens::stop() {
  if (client_) client_->cancel_all();
  client_.reset();
  co_return;
}

Task<Result<auth::IssuedToken>> ParentTokens::ask(const auth::TokenRequest& request) {
  if (!is_safe_)
    co_return Error(ErrorKind::kUnavailable, "passwords are not sent to a parent in clear: give it an https URL");
  if (asking_ >= kMostAtOnce)
    co_return Error(ErrorKind::kTooManyRequests, "too many are logging in just now")
        .with_retry_after(std::chrono::seconds(2));
  if (!client_) client_ = std::make_unique<http::Client>(Loop::current(), options_);
  http::ClientRequest asked("POST", url_);
  asked.header("Content-Type", "application/x-www-form-urlencoded");
  std::string form = form_of(request);
  const auto signature = membership_.authorization("POST", auth::TokenGate::kTokenPath, form, request.remote);
  if (signature) {
    asked.header("Authorization", *signature);
    asked.header(auth::kClientHeader, request.remote);
  }
  asked.body(std::move(form));
  ++asking_;
  auto transfer = co_await client_->open(std::move(asked));
  Result<std::string> body = Error(ErrorKind::kUnavailable, "the master cannot be asked who that is");
  int status = 0;
  if (transfer) {
    body = co_await (*transfer)->read_whole(kMaxAnswerBytes);
    status = (*transfer)->head().status();
  }
  --asking_;
  if (!body)
    co_return Error(ErrorKind::kUnavailable, "the master cannot be asked who that is").with_cause(body.error());
  const auto document = nlohmann::json::parse(*body, nullptr, false);
  if (status != 200 || !document.is_object()) co_return refused(status, document);
  auth::IssuedToken issued;
  issued.token = text_at(document, "token");
  issued.refresh_token = text_at(document, "refresh_token");
  issued.issued = Clock::system().wall();
  const auto lasts = document.find("expires_in");
  issued.lasts =
      std::chrono::seconds(lasts != document.end() && lasts->is_number_unsigned() ? lasts->get<unsigned>() : 60);
  co_return issued;
}

}  // namespace wherry::node
