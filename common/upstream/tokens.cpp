#include "common/upstream/tokens.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "common/base/bytes.h"
#include "common/http/place.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "common/upstream/budget.h"

namespace wherry {

Tokens::Tokens(std::string url, std::vector<std::string> realms, Credentials credentials,
               std::function<http::Client&()> client, const std::vector<Loop*>& loops, const Clock& clock)
    : url_(std::move(url)),
      realms_(std::move(realms)),
      credentials_(std::move(credentials)),
      client_(std::move(client)),
      clock_(clock),
      circuit_(clock),
      fetching_(loops) {}

/// Whether a token server may be asked at all: a registry must not send us to whomever it likes.
bool Tokens::may_go_to(const std::string& realm) const {
  const auto to = http::Place::of(realm);
  const auto own = http::Place::of(url_);
  if (!to || !own || (own->scheme == "https" && to->scheme != "https")) return false;
  return *to == *own || std::find(realms_.begin(), realms_.end(), to->name()) != realms_.end();
}

Task<Result<std::string>> Tokens::authorization(std::string scope) {
  Challenge challenge;
  {
    const std::lock_guard lock(mutex_);
    if (!wanted_) co_return std::string();
    challenge = *wanted_;
    const auto kept = tokens_.find(scope);
    if (kept != tokens_.end() && clock_.monotonic() < kept->second.expires) co_return "Bearer " + kept->second.value;
  }
  if (challenge.scheme == "basic") co_return credentials_.basic();
  const auto work = [this, scope, challenge] { return fetch(scope, challenge); };
  auto token = co_await fetching_.join(scope, work);
  if (!token) co_return token.error();
  co_return "Bearer " + *token;
}

Result<void> Tokens::challenged(const std::string& scope, const std::vector<std::string_view>& fields,
                                const std::string& shown) {
  auto challenge = choose_challenge(fields);
  if (!challenge) return Error(ErrorKind::kDenied, "{} refuses us and does not say what it wants to see", url_);
  if (challenge->scheme == "basic" && credentials_.user.empty())
    return Error(ErrorKind::kDenied, "{} wants credentials: its credentials-file has none", url_);
  if (challenge->scheme == "basic" && shown.starts_with("Basic "))
    return Error(ErrorKind::kDenied, "{} refuses the credentials of its credentials-file", url_);
  if (challenge->scheme == "bearer" && !may_go_to(challenge->realm))
    return Error(ErrorKind::kDenied, "{} sends us to the token server {}, which is not one of its realms", url_,
                 excerpt(challenge->realm));
  const std::lock_guard lock(mutex_);
  const auto kept = tokens_.find(scope);
  if (kept != tokens_.end() && "Bearer " + kept->second.value == shown) tokens_.erase(kept);
  wanted_ = std::move(challenge);
  return {};
}

Task<Result<std::unique_ptr<http::Transfer>>> Tokens::get(const Challenge& challenge, const std::string& scope) {
  std::string url = challenge.realm + (challenge.realm.find('?') == std::string::npos ? '?' : '&') +
                    "service=" + http::percent_encode(challenge.service);
  for (const auto one : std::views::split(scope, ' '))
    url += "&scope=" + http::percent_encode(std::string_view(one.begin(), one.end()), ":/");
  http::ClientRequest request("GET", std::move(url));
  if (!credentials_.user.empty()) request.header("Authorization", credentials_.basic());
  co_return co_await client_().open(std::move(request));
}

/// The OAuth2 way: with an identity token, else with user and password.
Task<Result<std::unique_ptr<http::Transfer>>> Tokens::post(const Challenge& challenge, const std::string& scope) {
  std::string form =
      "client_id=wherry&service=" + http::percent_encode(challenge.service) + "&scope=" + http::percent_encode(scope);
  if (!credentials_.identity_token.empty())
    form += "&grant_type=refresh_token&refresh_token=" + http::percent_encode(credentials_.identity_token);
  else
    form += "&grant_type=password&username=" + http::percent_encode(credentials_.user) +
            "&password=" + http::percent_encode(credentials_.password);
  http::ClientRequest request("POST", challenge.realm);
  request.header("Content-Type", "application/x-www-form-urlencoded");
  request.body(std::move(form));
  co_return co_await client_().open(std::move(request));
}

Result<Tokens::Token> Tokens::read(const std::string& realm, const std::string& body) const {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  const auto text = [&](const char* key) {
    const auto found = json.is_object() ? json.find(key) : json.end();
    return json.is_object() && found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  Token token{text("token"), {}};
  if (token.value.empty()) token.value = text("access_token");
  const auto visible = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
  if (token.value.empty() || !std::all_of(token.value.begin(), token.value.end(), visible))
    return Error(ErrorKind::kUpstream, "{} answered what is no token", excerpt(realm));
  // Counted from here, by a clock that does not jump: what the server says of the time may be off by hours.
  auto life = kDefaultLife;
  if (const auto found = json.find("expires_in"); found != json.end() && found->is_number())
    life = std::chrono::seconds(static_cast<std::int64_t>(std::clamp(
        found->get<double>(), static_cast<double>(kDefaultLife.count()), static_cast<double>(kLongestLife.count()))));
  token.expires = clock_.monotonic() + life - std::min<std::chrono::seconds>(life / 4, std::chrono::seconds(30));
  return token;
}

bool Tokens::needs_token(const std::string& scope) const {
  const std::lock_guard lock(mutex_);
  if (!wanted_ || wanted_->scheme != "bearer") return false;
  const auto kept = tokens_.find(scope);
  return kept == tokens_.end() || clock_.monotonic() >= kept->second.expires;
}

Task<Result<std::string>> Tokens::fetch(std::string scope, Challenge challenge) {
  const bool admitted = co_await circuit_.admits_soon();
  if (!admitted)
    co_return Error(ErrorKind::kUpstream, "the token server {} cannot be reached; it is asked again in {} ms",
                    excerpt(challenge.realm), circuit_.pause().count());
  auto token = co_await request(challenge, scope);
  if (!token) co_return token.error();
  std::string value = token->value;
  const std::lock_guard lock(mutex_);
  if (tokens_.size() >= kMaxTokens)
    tokens_.erase(std::min_element(tokens_.begin(), tokens_.end(),
                                   [](const auto& a, const auto& b) { return a.second.expires < b.second.expires; }));
  tokens_.insert_or_assign(scope, std::move(*token));
  co_return value;
}

/// Errors: kDenied when it refuses; kUpstream and kTimeout when it cannot be asked or makes no sense;
/// kUpstreamFailed, kUpstreamLimited.
Task<Result<Tokens::Token>> Tokens::request(Challenge challenge, std::string scope) {
  const std::string realm = excerpt(challenge.realm);
  const Monotonic asked_at = circuit_.time();
  Result<std::unique_ptr<http::Transfer>> transfer = Error(ErrorKind::kInternal, "not asked yet");
  if (credentials_.identity_token.empty()) transfer = co_await get(challenge, scope);
  // Some know the OAuth2 way alone, and say so by refusing a GET.
  const bool only_post = transfer && !credentials_.user.empty() &&
                         ((*transfer)->head().status() == 404 || (*transfer)->head().status() == 405);
  if (!credentials_.identity_token.empty() || only_post) transfer = co_await post(challenge, scope);
  // An answer is one, whatever it says: what one scope is told is nothing to the others.
  circuit_.ended(asked_at, transfer ? nullptr : &transfer.error());
  if (!transfer) co_return transfer.error();
  const int status = (*transfer)->head().status();
  if (status == 401 || status == 403 || status == 400)
    co_return Error(ErrorKind::kDenied, "the token server {} refuses us ({})", realm, status);
  if (status == 429)
    co_return Error(ErrorKind::kUpstreamLimited, "the token server {} wants fewer requests", realm)
        .with_retry_after(Budget::asked_to_wait((*transfer)->head()));
  if (status >= 500) co_return Error(ErrorKind::kUpstreamFailed, "the token server {} answered {}", realm, status);
  if (status != 200) co_return Error(ErrorKind::kUpstream, "the token server {} answered {}", realm, status);
  auto body = co_await (*transfer)->read_whole(kMaxAnswerBytes);
  if (!body && body.error().kind() == ErrorKind::kTooLarge)
    co_return Error(ErrorKind::kUpstream, "{}", body.error().message());
  if (!body) co_return body.error();
  co_return read(challenge.realm, *body);
}

}  // namespace wherry
