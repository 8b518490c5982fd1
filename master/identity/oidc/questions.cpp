#include "master/identity/oidc/questions.h"

#include "common/async/deadline.h"
#include "common/auth/jwt.h"
#include "common/base/base64.h"
#include "common/base/lower_case.h"
#include "common/http/uri.h"

namespace wherry::identity::oidc {
namespace {

constexpr int kMostLevels = 8;
constexpr long kConnections = 8;

http::ClientOptions client_options(const OidcOptions& options) {
  http::ClientOptions with;
  with.connect_time = options.timeout;
  with.silence = options.timeout;
  with.connections_a_host = kConnections;
  with.ca_file = options.ca_file;
  return with;
}

std::string media_type_of(std::string_view content_type) {
  std::string type = lower_case(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ') || type.ends_with('\t')) type.pop_back();
  return type;
}

Error cannot_be_asked(std::string_view why) {
  return Error(ErrorKind::kUnavailable, "the OpenID provider cannot be asked: {}", why);
}

}  // namespace

void add_parameter(std::string& to, std::string_view name, std::string_view value) {
  if (!to.empty() && !to.ends_with('?')) to.append(1, '&');
  to.append(name).append(1, '=').append(http::percent_encode(value));
}

Questions::Questions(const OidcOptions& options)
    : options_(options), client_(Loop::current(), client_options(options)) {}

Task<Result<ProviderAnswer>> Questions::ask_in_time(http::ClientRequest request) {
  auto transfer = co_await client_.open(std::move(request));
  if (!transfer) co_return cannot_be_asked(transfer.error().message());
  http::Transfer& answer = **transfer;
  Deadline deadline([](void* late) { static_cast<http::Transfer*>(late)->cancel(); }, &answer);
  deadline.arm(Loop::current().deadlines(), options_.timeout);
  auto text = co_await answer.read_whole(kMaxAnswerBytes);
  deadline.disarm();
  if (!text && text.error().kind() == ErrorKind::kCancelled)
    co_return cannot_be_asked("its answer took too long, or is not wanted any more");
  if (!text) co_return cannot_be_asked(text.error().message());
  ProviderAnswer read;
  read.status = answer.head().status();
  if (read.status >= 500 || read.status == 429 || (read.status >= 300 && read.status < 400))
    co_return cannot_be_asked("it answered " + std::to_string(read.status));
  read.media_type = media_type_of(answer.head().header("content-type"));
  read.body = auth::strict_object(*text, kMostLevels);
  co_return read;
}

Task<Result<ProviderAnswer>> Questions::ask(http::ClientRequest request) {
  if (under_way_ >= kMostAtOnce)
    co_return Error(ErrorKind::kTooManyRequests, "too many are logging in just now")
        .with_retry_after(std::chrono::seconds(2));
  ++under_way_;
  auto answer = co_await ask_in_time(std::move(request));
  --under_way_;
  co_return answer;
}

Task<Result<ProviderAnswer>> Questions::get(std::string url) {
  http::ClientRequest request("GET", std::move(url));
  request.header("Accept", "application/json");
  co_return co_await ask(std::move(request));
}

Task<Result<ProviderAnswer>> Questions::get_as(std::string url, const std::string& access_token) {
  http::ClientRequest request("GET", std::move(url));
  request.header("Accept", "application/json");
  request.header("Authorization", "Bearer " + access_token);
  co_return co_await ask(std::move(request));
}

Task<Result<ProviderAnswer>> Questions::post(std::string url, std::string form) {
  http::ClientRequest request("POST", std::move(url));
  request.header("Accept", "application/json");
  request.header("Content-Type", "application/x-www-form-urlencoded");
  if (options_.client_secret.empty()) {
    add_parameter(form, "client_id", options_.client_id);
  } else {
    // Each part escaped before they are joined: RFC 6749 2.3.1.
    const std::string pair =
        http::percent_encode(options_.client_id) + ":" + http::percent_encode(options_.client_secret);
    request.header("Authorization", "Basic " + to_base64(pair));
  }
  request.body(std::move(form));
  co_return co_await ask(std::move(request));
}

}  // namespace wherry::identity::oidc
