#include "node/follow/membership.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/files.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/feed/state.h"
#include "common/http/problem.h"
#include "common/kv/for_each_row.h"

namespace wherry::node {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::seconds kJoinAgain{5};
/// A certificate is renewed when so much of its year is left.
constexpr std::chrono::days kRenewBefore{120};
constexpr std::chrono::minutes kForgetChildAfter{60};

/// Nested deeper than a tree of nodes is, a document is somebody's attempt at the parser.
bool is_flat_enough(int depth, nlohmann::detail::parse_event_t, Json&) { return depth <= 64; }

}  // namespace

Result<JoinToken> JoinToken::parse(const std::string& text) {
  std::vector<std::string> parts;
  std::string_view left = text;
  while (true) {
    const auto dot = left.find('.');
    parts.emplace_back(left.substr(0, dot));
    if (dot == std::string_view::npos) break;
    left.remove_prefix(dot + 1);
  }
  if (parts.size() != 4 || parts[0] != "wjt1" || !auth::is_node_name(parts[1]) || parts[2].empty() ||
      parts[3].size() != 64)
    return Error(ErrorKind::kInvalid, "that is no join token: `wherry-master node add` gives one");
  return JoinToken{parts[1], parts[2], parts[3]};
}

Membership::Membership(std::string data, std::string parent_url, http::ClientOptions client, kv::KeyValue& store,
                       Pool& disk, std::function<std::string()> status)
    : path_(std::move(data) + "/node-identity.pem"),
      parent_url_(std::move(parent_url)),
      client_options_(std::move(client)),
      store_(store),
      disk_(disk),
      status_(std::move(status)),
      home_(Loop::current()) {}

Membership::~Membership() = default;

Result<void> Membership::load_identity() {
  auto identity = auth::NodeIdentity::load(path_);
  if (!identity) return identity.error();
  if (!*identity) return {};
  const std::lock_guard lock(mutex_);
  identity_ = std::make_shared<const auth::NodeIdentity>(std::move(**identity));
  name_ = identity_->name();
  return {};
}

Task<Result<void>> Membership::start(std::string join_token, std::function<void()> joined) {
  joined_ = std::move(joined);
  std::optional<JoinToken> token;
  if (!join_token.empty()) {
    auto parsed = JoinToken::parse(join_token);
    if (!parsed) co_return parsed.error();
    token = std::move(*parsed);
  }
  const auto load = [this] { return load_identity(); };
  auto loaded = co_await disk_.run(load);
  if (!loaded) co_return loaded;
  const std::string prefix = feed::state_policies_prefix();
  const kv::VisitRow take = [&](std::string_view key, std::string_view) -> Result<void> {
    take_policy(key.substr(prefix.size()), true);
    return {};
  };
  auto policies = co_await kv::for_each_row(store_, prefix, take);
  if (!policies) co_return policies;
  joining_.store(name_.empty() && token, std::memory_order_release);
  if (parent_url_.empty()) co_return Result<void>();
  client_ = std::make_unique<http::Client>(Loop::current(), client_options_);
  scope_.spawn(run(std::move(token)));
  co_return Result<void>();
}

Task<void> Membership::stop() {
  stopping_ = true;
  sleeper_.wake();
  if (client_) client_->cancel_all();
  co_await scope_.join();
  client_.reset();
}

Task<void> Membership::run(std::optional<JoinToken> token) {
  std::string told;
  bool removed = false;
  while (!stopping_) {
    Result<void> outcome;
    auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(kReportEvery);
    // Somebody whose certificate does not count any more may have been given a token of a new registration.
    if (token && (name_.empty() || removed)) {
      outcome = co_await join(*token);
      removed = false;  // unless the next report says so again
      wait = outcome ? std::chrono::milliseconds(0) : std::chrono::milliseconds(kJoinAgain);
    } else if (!name_.empty()) {
      outcome = co_await report();
      removed = !outcome && outcome.error().kind() == ErrorKind::kUnauthorized;
      if (removed && token) wait = std::chrono::milliseconds(0);
    }
    const std::string trouble = outcome ? std::string() : outcome.error().to_string();
    if (!trouble.empty() && trouble != told && !stopping_)
      log::warn("this node is not known to its parent", {{"why", trouble}});
    told = trouble;
    if (stopping_) break;
    if (wait.count() > 0) co_await sleeper_.sleep(wait);
  }
}

Task<Result<std::pair<int, std::string>>> Membership::post(std::string place, std::string body,
                                                           std::string authorization) {
  if (!client_ || stopping_) co_return Error(ErrorKind::kUnavailable, "this node has no parent");
  http::ClientRequest request("POST", parent_url_ + std::string(kPrefix) + place);
  request.header("Content-Type", "application/json");
  if (!authorization.empty()) request.header("Authorization", authorization);
  request.body(std::move(body));
  auto transfer = co_await client_->open(std::move(request));
  if (!transfer) co_return transfer.error();
  auto text = co_await (*transfer)->read_whole(kMaxDocumentBytes);
  if (!text) co_return text.error();
  co_return std::pair<int, std::string>((*transfer)->head().status(), std::move(*text));
}

Task<Result<void>> Membership::join(const JoinToken& token) {
  const auto begin = [this] { return joining_key(); };
  auto begun = co_await disk_.run(begin);
  if (!begun) co_return begun.error();
  auth::NodeKey key = std::move(*begun);
  const std::string wanted = key.certificate_request(token.name);
  const Json document = {{"name", token.name},
                         {"proof", auth::join_proof(auth::secret_hash_of(token.secret), wanted)},
                         {"request", wanted}};
  std::string body = document.dump();
  auto answer = co_await post("join", std::move(body), std::string());
  if (!answer) co_return answer.error();
  if (answer->first != 200)
    co_return Error(ErrorKind::kUnauthorized, "the join token was refused (status {}): {}", answer->first,
                    answer->second.substr(0, 300));
  auto taken = co_await take_certificate(std::move(key), token.name, answer->second);
  if (!taken) co_return taken;
  log::info("this node has joined", {{"node", name_}});
  joining_.store(false, std::memory_order_release);
  joined_();
  co_return taken;
}

Task<Result<void>> Membership::renew() {
  auth::NodeKey key = auth::NodeKey::make();
  const Json document = {{"request", key.certificate_request(name_)}};
  const std::string body = document.dump();
  const auto header = authorization("POST", std::string(kPrefix) + "renew", body);
  auto answer = co_await post("renew", body, *header);
  if (!answer) co_return answer.error();
  if (answer->first != 200)
    co_return Error(ErrorKind::kUpstream, "the certificate was not renewed: status {}", answer->first);
  co_return co_await take_certificate(std::move(key), name_, answer->second, identity_->authority().der());
}

Result<auth::NodeKey> Membership::joining_key() {
  const std::string path = path_ + ".joining";
  auto pem = read_small_file(path, 8192);
  if (pem) return auth::NodeKey::from_pem(*pem);
  if (pem.error().kind() != ErrorKind::kNotFound) return pem.error();
  auth::NodeKey key = auth::NodeKey::make();
  auto saved = replace_secret_file(path, key.pem());
  if (!saved) return saved.error();
  return key;
}

Task<Result<void>> Membership::take_certificate(auth::NodeKey key, std::string name, std::string answer,
                                                std::string authority_der) {
  const Json document = Json::parse(answer, is_flat_enough, false);
  const Error wrong(ErrorKind::kUpstream, "the answer to a join is not in its form");
  if (!document.is_object() || !document.contains("certificate") || !document["certificate"].is_string() ||
      !document.contains("authority") || !document["authority"].is_string())
    co_return wrong;
  auto certificate = auth::NodeCertificate::from_pem(document["certificate"].get<std::string>());
  auto authority = auth::NodeCertificate::from_pem(document["authority"].get<std::string>());
  if (!certificate || !authority) co_return wrong;
  if (!authority_der.empty() && authority->der() != authority_der)
    co_return Error(ErrorKind::kUpstream, "the certificate is of another authority than this node's");
  auto right = certificate->check(*authority, Clock::system().wall());
  if (!right) co_return right;
  constexpr std::string_view kProof = "this key is that of the certificate";
  if (certificate->name() != name || !certificate->verify(kProof, key.sign(kProof)))
    co_return Error(ErrorKind::kUpstream, "the certificate is not the one that was asked for");
  auto identity =
      std::make_shared<const auth::NodeIdentity>(std::move(key), std::move(*certificate), std::move(*authority));
  const auto save = [&]() -> Result<void> {
    auto saved = identity->save(path_);
    if (!saved) return saved;
    auto removed = remove_file(path_ + ".joining");
    if (!removed) return removed.error();
    return {};
  };
  auto saved = co_await disk_.run(save);
  if (!saved) co_return saved;
  const std::lock_guard lock(mutex_);
  identity_ = std::move(identity);
  name_ = identity_->name();
  co_return Result<void>();
}

std::optional<std::string> Membership::authorization(std::string_view method, std::string_view target,
                                                     std::string_view body, std::string_view client) {
  const auto identity = own();
  if (!identity) return std::nullopt;
  return auth::sign_request(*identity, {method, target, body, client}, Clock::system().wall());
}

std::string Membership::signer(const http::Request& request, std::string_view body) {
  const auto self = own();
  if (!self || !auth::is_signed_request(request.header("authorization"))) return {};
  const auto child = child_of(request, body, *self);
  if (!child) return {};
  return child->certificate.name();
}

Task<Result<void>> Membership::report() {
  const auto identity = own();
  if (identity->certificate().not_after() - Clock::system().wall() < kRenewBefore) {
    auto renewed = co_await renew();
    if (!renewed) log::warn("this node's certificate could not be renewed", {{"why", renewed.error().to_string()}});
  }
  std::string body = status_();
  if (const std::string below = children(); !below.empty() && body.ends_with('}')) {
    body.pop_back();
    body += R"(,"children":)" + below + "}";
  }
  const auto header = authorization("POST", std::string(kPrefix) + "report", body);
  auto answer = co_await post("report", std::move(body), *header);
  if (!answer) co_return answer.error();
  if (answer->first == 404) co_return Result<void>();  // a parent that keeps no nodes
  if (answer->first != 200)
    co_return Error(answer->first == 401 ? ErrorKind::kUnauthorized : ErrorKind::kUpstream,
                    "the report was refused (status {}): {}", answer->first, answer->second.substr(0, 300));
  co_return Result<void>();
}

std::string Membership::children() const {
  const WallTime now = Clock::system().wall();
  std::string out;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, child] : children_) {
    if (now - child.seen_at > kForgetChildAfter) continue;  // none has reported since
    if (out.size() + child.report.size() > kMaxDocumentBytes / 2) break;
    out += out.empty() ? "[" : ",";
    out += fmt::format(R"({{"name":{},"last_seen":"{}","report":{}}})", json_string(name), to_rfc3339(child.seen_at),
                       child.report);
  }
  return out.empty() ? out : out + "]";
}

bool Membership::sees_all() const {
  const std::lock_guard lock(mutex_);
  return identity_ && identity_->certificate().projects().empty();
}

std::string Membership::view() const {
  const std::lock_guard lock(mutex_);
  if (!identity_) return {};
  std::vector<std::string> patterns = identity_->certificate().projects();
  std::ranges::sort(patterns);
  return fmt::format("{}", fmt::join(patterns, "\n"));
}

void Membership::take_policy(std::string_view name, bool is_set) {
  if (name == auth::kRegisteredOnly) {
    registered_only_.store(is_set, std::memory_order_release);
    const std::lock_guard lock(mutex_);
    if (is_set) std::exchange(nobody_, std::make_shared<std::atomic<bool>>(false))->store(true);  // their streams end
  }
  if (is_set && name.starts_with(auth::kRevocation)) revoke(std::string(name.substr(auth::kRevocation.size())));
}

void Membership::revoke(const std::string& serial) {
  {
    const std::lock_guard lock(mutex_);
    auto& flag = revoked_[serial];
    if (!flag) flag = std::make_shared<std::atomic<bool>>(false);
    flag->store(true, std::memory_order_release);
  }
  told_of_revocation_();
}

Result<Membership::Shown> Membership::child_of(const http::Request& request, std::string_view body,
                                               const auth::NodeIdentity& own) {
  // Without the lock, which every question upwards needs: anybody can make this compute.
  auto certificate = auth::check_request(request, body, own.authority(), Clock::system().wall());
  if (!certificate) return certificate.error();
  const std::lock_guard lock(mutex_);
  auto& flag = revoked_[certificate->serial()];
  if (!flag) flag = std::make_shared<std::atomic<bool>>(false);
  if (flag->load(std::memory_order_acquire))
    return Error(ErrorKind::kUnauthorized, "node {} was removed", certificate->name());
  return Shown{std::move(*certificate), flag};
}

std::shared_ptr<const auth::NodeIdentity> Membership::own() const {
  const std::lock_guard lock(mutex_);
  return identity_;
}

Result<std::optional<auth::Identity>> Membership::identity(const http::Request& request) {
  const auto self = own();
  if (!self) return Error(ErrorKind::kUnauthorized, "this node is not registered, and knows no other");
  auto child = child_of(request, {}, *self);
  if (!child) return child.error();
  auth::Identity node;
  node.kind = auth::Identity::Kind::kNode;
  node.id = child->certificate.serial();
  node.name = child->certificate.name();
  node.projects = child->certificate.projects();
  node.as_of = Clock::system().wall();
  return std::optional<auth::Identity>(std::move(node));
}

Result<feed::Admitted> Membership::admit(const http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  if (is_joining()) return Error(ErrorKind::kUnavailable, "this node has not joined yet");
  const auto self = own();
  if (!auth::is_signed_request(request.header("authorization")) || !self) {
    const std::lock_guard lock(mutex_);  // take_policy() ends these streams under it
    if (registered_only_.load(std::memory_order_acquire))
      return Error(ErrorKind::kUnauthorized, "only registered nodes may read the feed");
    if (self && !feed_is_complete_.load(std::memory_order_acquire))
      return Error(ErrorKind::kUnavailable, "this node does not know yet who may read the feed");
    return feed::Admitted{feed::Visibility(), nobody_};
  }
  auto child = child_of(request, {}, *self);
  if (!child) return child.error();
  const auto& projects = child->certificate.projects();
  return feed::Admitted{projects.empty() ? feed::Visibility() : feed::Visibility(projects), child->revoked};
}

Task<Result<void>> Membership::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string place(request.path.substr(kPrefix.size()));
  if (request.method != "POST" || (place != "join" && place != "renew" && place != "report"))
    co_return Error(ErrorKind::kNotFound, "there are POST join, renew and report");
  auto body = co_await exchange.read_whole_body(kMaxDocumentBytes);
  if (!body) co_return body.error();
  if (place != "report") co_return co_await pass_on(exchange, place, std::move(*body));
  auto taken = co_await take_report(request, std::move(*body));
  if (!taken) co_return taken.error();
  http::Response response(200);
  response.body("application/json", "{}\n");
  co_return co_await exchange.send(std::move(response));
}

Task<Result<std::string>> Membership::take_report(const http::Request& request, std::string body) {
  const Json document = Json::parse(body, is_flat_enough, false);
  if (!document.is_object()) co_return Error(ErrorKind::kInvalid, "the body is not a JSON object");
  const auto self = own();
  if (!self) co_return Error(ErrorKind::kNotFound, "this node has not joined, and keeps no children");
  auto child = child_of(request, body, *self);
  if (!child) co_return child.error();
  const std::string& name_of_child = child->certificate.name();
  const std::lock_guard lock(mutex_);
  const WallTime now = Clock::system().wall();
  std::erase_if(children_, [&](const auto& each) { return now - each.second.seen_at > kForgetChildAfter; });
  std::size_t others = 0;
  for (const auto& [name, other] : children_)
    if (name != name_of_child) others += other.report.size();
  std::string report = document.dump();
  if (others + report.size() > kMostReportBytes || children_.size() > kMostChildren)
    co_return Error(ErrorKind::kUnavailable, "there are too many children here, or they say too much");
  children_[name_of_child] = Child{std::move(report), now};
  co_return name_of_child;
}

Task<Result<void>> Membership::pass_on(http::Exchange& exchange, std::string place, std::string body) {
  Loop& here = Loop::current();
  std::string authorization(exchange.request().header("authorization"));
  co_await home_.enter();
  auto answer = co_await post(std::move(place), std::move(body), std::move(authorization));
  co_await here.enter();
  if (!answer) co_return answer.error();
  http::Response response(answer->first);
  response.body("application/json", std::move(answer->second));
  co_return co_await exchange.send(std::move(response));
}

http::Response Membership::render(const Error& error) const { return http::problem_of(error); }

}  // namespace wherry::node
