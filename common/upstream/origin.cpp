#include "common/upstream/origin.h"

#include <algorithm>
#include <utility>

#include "common/async/request_context.h"
#include "common/http/place.h"

namespace wherry {
namespace {

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::string without_final_slashes(std::string url) {
  while (!url.empty() && url.back() == '/') url.pop_back();
  return url;
}

/// A query may hold a signature, which is nothing for messages.
std::string without_query(const std::string& url) { return url.substr(0, url.find('?')); }

/// A manifest of the budget that goes back unless its question was answered.
struct Taken {
  Budget& budget;
  std::optional<Monotonic> at;
  ~Taken() {
    if (at) budget.give_back_manifest(*at);
  }
};

/// Path and query of a URL, as they are sent.
std::string_view target_of(std::string_view url) {
  const auto path = url.find('/', url.find("://") + 3);
  return path == std::string_view::npos ? std::string_view("/") : url.substr(path);
}

UpstreamOptions tidied(UpstreamOptions options) {
  options.url = without_final_slashes(std::move(options.url));
  return options;
}

}  // namespace

Origin::Origin(UpstreamOptions options, Credentials credentials, const std::vector<Loop*>& loops)
    : options_(tidied(std::move(options))),
      own_(http::Place::of(options_.url)),
      clients_(loops),
      tokens_(
          options_.url, options_.realms, std::move(credentials), [this]() -> http::Client& { return *clients_.here(); },
          loops),
      budget_(options_.limits) {}

Origin::~Origin() = default;

Task<void> Origin::open() {
  const auto open_here = [this](std::unique_ptr<http::Client>& client) {
    http::ClientOptions with;
    with.connect_time = options_.connect_time;
    with.silence = options_.silence;
    with.least_bytes_per_second = options_.least_bytes_per_second;
    with.connections_a_host = kConnectionsForNames + static_cast<long>(options_.limits.concurrent);
    with.ca_file = options_.ca_file;
    with.proxy = options_.proxy;
    client = std::make_unique<http::Client>(Loop::current(), std::move(with));
  };
  co_await clients_.visit(open_here);
}

Task<void> Origin::cancel() {
  budget_.cancel();
  const auto cancel_here = [](std::unique_ptr<http::Client>& client) {
    if (client) client->cancel_all();
  };
  co_await clients_.visit(cancel_here);
}

Task<void> Origin::close() {
  co_await tokens_.stop();
  const auto close_here = [](std::unique_ptr<http::Client>& client) { client.reset(); };
  co_await clients_.visit(close_here);
}

Task<Result<std::unique_ptr<http::Transfer>>> Origin::send(http::ClientRequest request) {
  const bool admitted = co_await circuit_.admits_soon();
  if (!admitted)
    co_return Error(ErrorKind::kUpstream, "{} cannot be reached; it is asked again in {} ms", options_.url,
                    circuit_.pause().count());
  const Monotonic asked_at = circuit_.time();
  auto transfer = co_await clients_.here()->open(std::move(request));
  calls_.note(transfer, true);
  circuit_.ended(asked_at, transfer ? nullptr : &transfer.error());
  co_return transfer;
}

Result<std::string> Origin::follow(const std::string& from, const http::ClientHead& head) const {
  const std::string url = without_query(from);
  const auto next = http::resolve_url(from, std::string(head.header("location")));
  const auto to = next ? http::Place::of(*next) : std::nullopt;
  // Not shown: whoever wrote a password into it did not mean our log.
  if (!to) return Error(ErrorKind::kUpstream, "{} redirects to what is not the URL of a server", url);
  const std::string location = without_query(*next);
  if (http::Place::of(from)->scheme == "https" && to->scheme != "https")
    return Error(ErrorKind::kDenied, "{} redirects from https to http, which is not followed: {}", url, location);
  return *next;
}

Error Origin::judge(const std::string& asked, const http::ClientHead& head, ErrorKind not_found) const {
  const std::string url = without_query(asked);
  const int status = head.status();
  if (status == 404) return Error(not_found, "{}: not found", url);
  if (status == 401 || status == 403) return Error(ErrorKind::kDenied, "{}: the upstream refuses us ({})", url, status);
  if (status == 429) {
    return Error(ErrorKind::kUpstreamLimited, "{}: the upstream wants fewer requests of us", url)
        .with_retry_after(Budget::asked_to_wait(head));
  }
  return Error(status >= 500 ? ErrorKind::kUpstreamFailed : ErrorKind::kUpstream, "{}: the upstream answered {}", url,
               status);
}

Task<Result<std::unique_ptr<http::Transfer>>> Origin::ask(Question question) {
  if (!question.patient && (circuit_.is_resting() || tokens_.is_resting(question.scope)))
    co_return Error(ErrorKind::kUpstream, "{} cannot be reached now", options_.url);
  auto open = budget_.check_open();
  if (!open) co_return open.error();
  Taken taken{budget_, {}};
  if (question.cost != Question::Cost::kFree) {
    auto manifest = budget_.take_manifest(question.cost == Question::Cost::kRefresh);
    if (!manifest) co_return manifest.error();
    taken.at = *manifest;
  }
  std::string url = question.target.starts_with('/') ? options_.url + question.target : question.target;
  const bool only_asks = question.method == "GET" || question.method == "HEAD";
  bool shown_anew = false;
  const RequestContext* const asked_for = co_await current_request();
  for (int redirects = 0; redirects <= kMaxRedirects;) {
    const auto place = http::Place::of(url);
    const bool at_home = place == own_;
    if (!at_home && !only_asks)
      co_return Error(ErrorKind::kDenied, "{} wants content to be sent to another server, which is not done: {}",
                      options_.url, without_query(url));
    http::ClientRequest request(question.method, url);
    for (const auto& [name, value] : question.headers) request.header(name, value);
    if (question.stream != nullptr) request.stream(question.stream);
    if (!question.body.empty()) request.body(question.body);
    if (!only_asks && question.stream == nullptr && question.body.empty()) request.header("Content-Length", "0");
    std::string shown;
    if (at_home) {
      // A signature names no host: what the server redirects to is not signed, it could be shown elsewhere.
      if (signer_ && redirects == 0) shown = signer_(question.method, target_of(url)).value_or(std::string());
      if (shown.empty()) {
        auto authorization = co_await tokens_.authorization(question.scope);
        if (!authorization) {
          if (authorization.error().retry_after()) budget_.closed_for(*authorization.error().retry_after());
          co_return authorization.error();
        }
        shown = std::move(*authorization);
      }
      if (!shown.empty()) request.header("Authorization", shown);
      if (asked_for != nullptr && asked_for->trace) request.header("traceparent", asked_for->trace.text());
    } else if (std::find(options_.redirects.begin(), options_.redirects.end(), place->name()) ==
               options_.redirects.end()) {
      request.only_public();
    }
    Result<std::unique_ptr<http::Transfer>> transfer = Error(ErrorKind::kInternal, "not asked yet");
    if (at_home) {
      transfer = co_await send(std::move(request));
    } else {
      transfer = co_await clients_.here()->open(std::move(request));
      calls_.note(transfer, false);
    }
    if (!transfer) co_return transfer.error();
    const http::ClientHead& head = (*transfer)->head();
    const int status = head.status();
    if (at_home) budget_.told(head);
    if (status != 401) taken.at.reset();
    if (std::ranges::find(question.answers, status) != question.answers.end()) {
      const auto encoding = head.header("content-encoding");
      if (!encoding.empty() && encoding != "identity")
        co_return Error(ErrorKind::kUpstream, "{} answered in an encoding that was not asked for: {}",
                        without_query(url), encoding);
      co_return std::move(*transfer);
    }
    if (status == 401 && at_home) {
      auto worth_it = tokens_.challenged(question.scope, head.all("www-authenticate"), shown);
      if (!worth_it) co_return worth_it.error();
      if (!std::exchange(shown_anew, true)) continue;
    }
    if (!is_redirect(status) || (!only_asks && status != 307 && status != 308)) {
      Error why = judge(url, head, question.not_found);
      if (at_home && why.retry_after()) budget_.closed_for(*why.retry_after());
      co_return why;
    }
    auto next = follow(url, head);
    if (!next) co_return next.error();
    url = std::move(*next);
    ++redirects;
  }
  co_return Error(ErrorKind::kUpstream, "{} redirects in a circle, or more than {} times", options_.url, kMaxRedirects);
}

}  // namespace wherry
