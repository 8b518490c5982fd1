#include "master/identity/oidc/device_flow.h"

#include <algorithm>

#include "common/oci/excerpt.h"

namespace wherry::identity::oidc {
namespace {

using Person = MasterLogins::Person;

/// A number of seconds, taken into [1, most]; `otherwise` where there is none.
std::chrono::seconds device_time(const nlohmann::json& document, const char* name, std::chrono::seconds otherwise,
                                 std::chrono::seconds most) {
  const auto found = document.find(name);
  if (found == document.end() || !found->is_number()) return otherwise;
  const double seconds = found->get<double>();
  if (!(seconds >= 1)) return std::chrono::seconds(1);
  return seconds >= static_cast<double>(most.count()) ? most : std::chrono::seconds(static_cast<long>(seconds));
}

bool is_user_code(const std::string& text) {
  return !text.empty() && text.size() <= DeviceFlow::kMaxUserCodeBytes &&
         std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace

Task<Result<DeviceFlow::Begun>> DeviceFlow::begin_device() {
  auto metadata = co_await provider_.metadata();
  if (!metadata) co_return metadata.error();
  std::string endpoint = (*metadata)->device_authorization_endpoint;
  if (endpoint.empty())
    co_return Error(ErrorKind::kUnsupported, "the OpenID provider of this registry has no logins for devices");
  const OidcOptions& options = provider_.options();
  std::string scopes;
  for (const std::string& scope : options.scopes) scopes.append(scopes.empty() ? "" : " ").append(scope);
  std::string form;
  add_parameter(form, "scope", scopes);
  auto answer = co_await provider_.ask(std::move(endpoint), std::move(form));
  if (!answer) co_return answer.error();
  Begun begun;
  Login login;
  login.device_code = text_member(*answer, "device_code");
  begun.user_code = text_member(*answer, "user_code");
  begun.verification_uri = text_member(*answer, "verification_uri");
  begun.verification_uri_complete = text_member(*answer, "verification_uri_complete");
  if (!is_safe_url(begun.verification_uri_complete, options.issuer)) begun.verification_uri_complete.clear();
  const bool is_usable = !login.device_code.empty() && login.device_code.size() <= kMaxDeviceCodeBytes &&
                         is_user_code(begun.user_code) && is_safe_url(begun.verification_uri, options.issuer);
  if (!is_usable) co_return Error(ErrorKind::kUnavailable, "the OpenID provider began no login of a device");
  begun.interval = device_time(*answer, "interval", kUsualInterval, kLongestInterval);
  begun.expires_in = device_time(*answer, "expires_in", kLongest, kLongest);
  login.interval = begun.interval;
  login.next = provider_.clock().monotonic() + login.interval;
  begun.handle = begun_.put(std::move(login), begun.expires_in);
  co_return begun;
}

std::optional<std::chrono::seconds> DeviceFlow::interval_of(const std::string& handle) {
  const Login* login = begun_.find(handle);
  if (login == nullptr) return std::nullopt;
  return login->interval;
}

Result<std::optional<Person>> DeviceFlow::refused(const std::string& handle, const std::string& refusal) {
  Login* login = begun_.find(handle);
  const bool is_slower = refusal == "slow_down";
  if (login != nullptr && (is_slower || refusal == "authorization_pending")) {
    if (is_slower) login->interval = std::min(login->interval + kSlowerBy, kLongestInterval);
    login->next = provider_.clock().monotonic() + login->interval;
    return std::optional<Person>();
  }
  begun_.erase(handle);
  if (refusal == "access_denied") return Error(ErrorKind::kDenied, "the login was refused at the provider");
  if (login == nullptr || refusal == "expired_token")
    return Error(ErrorKind::kNotFound, "the time for this login is over: begin again");
  return Error(ErrorKind::kUnauthorized, "the provider refuses this login ({}): begin again", excerpt(refusal));
}

Task<Result<std::optional<Person>>> DeviceFlow::poll_device(std::string handle) {
  Login* login = begun_.find(handle);
  if (login == nullptr) co_return Error(ErrorKind::kNotFound, "there is no such login, or its time is over");
  if (login->is_asking || provider_.clock().monotonic() < login->next) co_return std::optional<Person>();
  login->is_asking = true;
  std::string form;
  add_parameter(form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
  add_parameter(form, "device_code", login->device_code);
  auto answer = co_await provider_.ask_token(std::move(form));
  login = begun_.find(handle);
  if (login != nullptr) {
    login->is_asking = false;
    login->next = provider_.clock().monotonic() + login->interval;
  }
  if (!answer) co_return answer.error();
  if (!answer->refusal.empty()) co_return refused(handle, answer->refusal);
  begun_.erase(handle);
  std::string no_nonce;  // these logins have none
  auto person = co_await provider_.person_of(*answer, std::move(no_nonce));
  if (!person) co_return person.error();
  co_return std::optional<Person>(std::move(*person));
}

}  // namespace wherry::identity::oidc
