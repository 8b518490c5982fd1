#include "master/identity/oidc/service.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/async/at_home.h"
#include "common/auth/jwt.h"
#include "common/auth/token_service.h"
#include "common/base/log.h"
#include "common/http/place.h"
#include "common/http/problem.h"
#include "common/http/uri.h"
#include "common/oci/error_body.h"

namespace wherry::identity::oidc {
namespace {

constexpr std::string_view kApiScope = "registry:api:*";
constexpr std::string_view kClientName = "login by OpenID Connect";
constexpr std::string_view kBrowserName = "secret for command lines, by OpenID Connect";
constexpr std::string_view kNotLoggedIn = "You are not logged in";
constexpr int kDocumentLevels = 2;

/// What is told of an error to who asks.
Error for_client(const Error& error) {
  if (error.kind() != ErrorKind::kUnavailable) return error;
  log::warn("logins with the OpenID provider fail", {{"error", error.to_string()}});
  return Error(ErrorKind::kUnavailable, "the login provider cannot be asked just now: try again later")
      .with_retry_after(std::chrono::seconds(5));
}

http::Response error_page(const Error& error) {
  const Error told = for_client(error);
  return page(http_status(told.kind()), kNotLoggedIn, told_message(told));
}

http::Response json_answer(int status, const nlohmann::json& document) {
  http::Response response(status);
  response.header("Cache-Control", "no-store");
  response.body("application/json", document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return response;
}

/// The first value of a query's parameter, in which a space may be a plus; empty when there is none.
std::string parameter_of(std::string_view query, std::string_view name) {
  std::string text;
  for (const char c : query) c == '+' ? text.append("%20") : text.append(1, c);
  return http::query_value(text, name).value_or(std::string());
}

bool has_json(const http::Request& request) {
  std::string_view type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return http::equal_ignoring_case(type, "application/json");
}

}  // namespace

OidcService::OidcService(OidcProvider& provider, MasterLogins& logins, MasterIssuer& issuer, Place place)
    : logins_(logins),
      issuer_(issuer),
      issuer_name_(provider.options().issuer),
      place_(std::move(place)),
      cookie_(place_.url.empty() ? place_.speaks_tls : place_.url.starts_with("https://")),
      home_(Loop::current()),
      codes_(provider),
      devices_(provider) {}

Task<Result<void>> OidcService::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string_view what = request.path.substr(std::min(kPrefix.size(), request.path.size()));
  const bool is_page = what == "start" || what == "callback";
  const bool is_device = what == "device" || what == "device/poll";
  if (!is_page && !is_device) co_return Error(ErrorKind::kNotFound, "there is nothing at this path");
  if (request.method != (is_page ? "GET" : "POST"))
    co_return Error(ErrorKind::kUnsupported, "this path is asked by {}", is_page ? "GET" : "POST");
  if (what == "start") co_return co_await start(exchange);
  if (what == "callback") co_return co_await callback(exchange);
  if (request.has_body() && !has_json(request))
    co_return Error(ErrorKind::kInvalid, "the document must be sent as Content-Type: application/json");
  if (what == "device") co_return co_await begin_device(exchange);
  co_return co_await poll_device(exchange);
}

http::Response OidcService::render(const Error& error) const {
  const Error told = for_client(error);
  auto response = http::problem_of(told);
  response.header("Cache-Control", "no-store");
  if (told.retry_after()) response.header("Retry-After", std::to_string(told.retry_after()->count()));
  return response;
}

Result<std::string> OidcService::own_url(const http::Request& request) const {
  std::string own = place_.url;
  if (own.empty()) own = (place_.speaks_tls ? "https://" : "http://") + std::string(request.host);
  while (own.ends_with('/')) own.pop_back();
  if (!http::is_server_url(own)) return Error(ErrorKind::kInvalid, "the request does not say which host it is for");
  return own;
}

Task<Result<void>> OidcService::start(http::Exchange& exchange) {
  auto own = own_url(exchange.request());
  if (!own) co_return co_await exchange.send(error_page(own.error()));
  const std::string back = *own + std::string(kPrefix) + "callback";
  const std::function<Task<Result<CodeFlow::Begun>>()> beginning = [&] { return codes_.begin(back); };
  auto begun = co_await at_home(home_, beginning);
  if (!begun) co_return co_await exchange.send(error_page(begun.error()));
  http::Response response(307);
  response.header("Location", begun->url);
  response.header("Set-Cookie", cookie_.keep(begun->state));
  response.header("Cache-Control", "no-store");
  response.header("Referrer-Policy", "no-referrer");
  co_return co_await exchange.send(std::move(response));
}

/// Those that the provider was not asked about, and that anybody may make up, would fill the log.
void OidcService::note(const std::string& name, const std::string& remote, const Result<auth::Identity>& who) {
  if (who || who.error().kind() != ErrorKind::kNotFound) logins_.note("login", name, remote, who);
}

Task<Result<auth::Identity>> OidcService::admit(const MasterLogins::Person& person, const std::string& remote) {
  auto who = co_await logins_.admit(Source::kOidc, person);
  note(person.name, remote, who);
  if (who || who.error().kind() != ErrorKind::kUnauthorized) co_return who;
  co_return Error(ErrorKind::kDenied,
                  "{} may not log in here: the account is disabled, or its name belongs to somebody else or is none "
                  "that this registry takes; its administrator finds the reason in the log",
                  person.name);
}

Task<Result<LoggedIn>> OidcService::give_up(std::string state) {
  codes_.give_up(state);
  co_return Error(ErrorKind::kDenied, "the provider did not allow this login");
}

Task<Result<LoggedIn>> OidcService::finish(std::string state, std::string code, const std::string& remote) {
  auto person = co_await codes_.finish(std::move(state), std::move(code));
  if (!person) {
    note(std::string(), remote, person.error());
    co_return person.error();
  }
  auto who = co_await admit(*person, remote);
  if (!who) co_return who.error();
  auth::TokenRequest request;
  request.wants_refresh_token = true;
  request.client = kBrowserName;
  request.remote = remote;
  auto issued = co_await issuer_.issue_to(*who, request);
  if (!issued) co_return issued.error();
  LoggedIn login;
  login.name = std::move(who->name);
  login.secret = std::move(issued->refresh_token);
  login.lasts = MasterLogins::kForeignSessionLasts;
  co_return login;
}

Task<Result<void>> OidcService::callback(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  std::string state = parameter_of(request.query, "state");
  std::string code = parameter_of(request.query, "code");
  const std::string refusal = parameter_of(request.query, "error");
  const std::string issuer = parameter_of(request.query, "iss");  // RFC 9207
  if (!cookie_.is_of(request, state)) {
    const Error another(ErrorKind::kDenied, "this login was not begun in this browser, or long ago: begin again");
    co_return co_await exchange.send(error_page(another));
  }
  auto own = own_url(request);
  if (!own) co_return co_await exchange.send(error_page(own.error()));
  const auto place = http::Place::of(*own);  // is_server_url() has seen it
  const std::string remote = auth::address_of(exchange.remote());
  const bool is_allowed = refusal.empty() && (issuer.empty() || issuer == issuer_name_);
  const std::function<Task<Result<LoggedIn>>()> ending = [&] {
    return is_allowed ? finish(state, code, remote) : give_up(state);
  };
  auto login = co_await at_home(home_, ending);
  http::Response answer(200);
  if (login) {
    login->host = place->name();
    answer = logged_in_page(*login);
  } else {
    answer = error_page(login.error());
  }
  answer.header("Set-Cookie", cookie_.forget());
  co_return co_await exchange.send(std::move(answer));
}

Task<Result<void>> OidcService::begin_device(http::Exchange& exchange) {
  auto body = co_await exchange.read_whole_body(kMaxBodyBytes);  // nothing is said in it
  if (!body) co_return body.error();
  const std::function<Task<Result<DeviceFlow::Begun>>()> beginning = [this] { return devices_.begin_device(); };
  auto begun = co_await at_home(home_, beginning);
  if (!begun) co_return begun.error();
  nlohmann::json document;
  document["handle"] = begun->handle;
  document["user_code"] = begun->user_code;
  document["verification_uri"] = begun->verification_uri;
  if (!begun->verification_uri_complete.empty())
    document["verification_uri_complete"] = begun->verification_uri_complete;
  document["interval"] = begun->interval.count();
  document["expires_in"] = begun->expires_in.count();
  co_return co_await exchange.send(json_answer(200, document));
}

Task<Result<http::Response>> OidcService::poll(const std::string& handle, const std::string& remote) {
  auto person = co_await devices_.poll_device(handle);
  if (!person) {
    note(std::string(), remote, person.error());
    co_return person.error();
  }
  if (!*person) {
    const auto interval = devices_.interval_of(handle).value_or(DeviceFlow::kUsualInterval);
    nlohmann::json waiting;
    waiting["status"] = "pending";
    waiting["interval"] = interval.count();
    co_return json_answer(202, waiting);
  }
  auto who = co_await admit(**person, remote);
  if (!who) co_return who.error();
  auth::TokenRequest request;
  request.scopes = auth::Scope::parse_all(kApiScope);
  request.wants_refresh_token = true;
  request.client = kClientName;
  request.remote = remote;
  auto issued = co_await issuer_.issue_to(*who, request);
  if (!issued) co_return issued.error();
  http::Response response(200);
  response.header("Cache-Control", "no-store").body("application/json", auth::token_document(*issued));
  co_return response;
}

Task<Result<void>> OidcService::poll_device(http::Exchange& exchange) {
  auto body = co_await exchange.read_whole_body(kMaxBodyBytes);
  if (!body) co_return body.error();
  const nlohmann::json asked = auth::strict_object(*body, kDocumentLevels);
  const std::string handle = text_member(asked, "handle");
  if (handle.empty()) co_return Error(ErrorKind::kInvalid, "a document {{\"handle\": \"...\"}} is expected");
  const std::string remote = auth::address_of(exchange.remote());
  const std::function<Task<Result<http::Response>>()> polling = [&] { return poll(handle, remote); };
  auto answer = co_await at_home(home_, polling);
  if (!answer) co_return answer.error();
  co_return co_await exchange.send(std::move(*answer));
}

}  // namespace wherry::identity::oidc
