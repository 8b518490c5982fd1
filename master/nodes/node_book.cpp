#include "master/nodes/node_book.h"

#include <algorithm>

#include "common/auth/password_hash.h"
#include "common/base/bytes.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/feed/log.h"
#include "common/kv/for_each_row.h"

namespace wherry::master {
namespace {

constexpr std::size_t kSecretBytes = 24;
constexpr std::size_t kMostProjects = 64;  // they are in the certificate, which is in a header of each request
constexpr std::size_t kMaxTextBytes = 255;
constexpr std::size_t kMostCertificates = 64;

std::string key_of(const std::string& name) { return std::string(1, kNodeTable) + name; }

Error not_joined() {
  return Error(ErrorKind::kUnauthorized, "this join token is not known, was used already, or is too old");
}
Error unknown(const std::string& name) { return Error(ErrorKind::kNotFound, "there is no node {}", name); }

}  // namespace

Task<Result<void>> NodeBook::load() {
  const kv::VisitRow take = [this](std::string_view, std::string_view row) -> Result<void> {
    auto record = NodeRecord::decode(row);
    if (!record) return record.error();
    const std::lock_guard lock(mutex_);
    const std::string name = record->name;
    known_.emplace(name, Known{std::move(*record)});
    return {};
  };
  auto loaded = co_await kv::for_each_row(store_, std::string(1, kNodeTable), take);
  if (!loaded) co_return loaded;
  co_return co_await announce_access();
}

Task<Result<void>> NodeBook::announce_access() {
  const std::string row = feed::state_policies_prefix() + std::string(auth::kRegisteredOnly);
  auto announced = co_await store_.get(row);
  if (!announced) co_return announced.error();
  if (announced->has_value() == registered_only_) co_return Result<void>();  // without a write: there may be no room
  const WallTime now = clock_.wall();
  co_return co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto said = transaction.exists(row);
    if (!said) return said.error();
    if (*said == registered_only_) return {};
    const std::string name(auth::kRegisteredOnly);
    if (registered_only_) return feed::append(transaction, feed::Change::policy_set(name, "true", now));
    return feed::append(transaction, feed::Change::policy_removed(name, now));
  });
}

Result<void> NodeBook::check_name(const std::string& name, const std::vector<std::string>& projects) const {
  if (!auth::is_node_name(name))
    return Error(ErrorKind::kInvalid,
                 "name: '{}' is not 1 to 63 of a-z, 0-9 and '-', with letters or digits at both ends",
                 name.substr(0, 80));
  if (projects.size() > kMostProjects) return Error(ErrorKind::kInvalid, "projects: {} at most", kMostProjects);
  for (const std::string& project : projects)
    if (!auth::is_project_pattern(project))
      return Error(ErrorKind::kInvalid, "projects: '{}' is not the name of a project, or a pattern of names",
                   project.substr(0, 80));
  const std::lock_guard lock(mutex_);
  if (known_.size() >= kMost) return Error(ErrorKind::kInvalid, "there are {} nodes, and no more can be", kMost);
  return {};
}

std::optional<NodeRecord> NodeBook::find(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(name);
  if (found == known_.end()) return std::nullopt;
  return found->second.record;
}

Task<Result<std::string>> NodeBook::add(std::string name, std::vector<std::string> projects, std::string site) {
  auto fits = check_name(name, projects);
  if (!fits) co_return fits.error();
  if (site.size() > kMaxTextBytes) co_return Error(ErrorKind::kInvalid, "site: {} bytes at most", kMaxTextBytes);
  const std::string secret = random_hex(kSecretBytes);
  NodeRecord record;
  record.name = name;
  record.projects = std::move(projects);
  record.site = std::move(site);
  record.added_at = clock_.wall();
  record.secret_hash = auth::secret_hash_of(secret);
  record.secret_until = record.added_at + kTokenValidity;
  auto stored = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto taken = transaction.exists(key_of(name));
    if (!taken) return taken.error();
    if (*taken) return Error(ErrorKind::kInvalid, "name: there is a node {} already", name);
    transaction.put(key_of(name), record.encode());
    return {};
  });
  if (!stored) co_return stored.error();
  {
    const std::lock_guard lock(mutex_);
    known_[name].record = std::move(record);
  }
  log::info("a node was added", {{"node", name}});
  co_return fmt::format("wjt1.{}.{}.{}", name, secret, feed_key_);
}

Task<Result<void>> NodeBook::remove(std::string name) {
  if (!find(name)) co_return unknown(name);
  const WallTime now = clock_.wall();
  auto erased = co_await store_.transact([&](kv::Transaction& transaction) -> Result<void> {
    auto row = transaction.get(key_of(name));
    if (!row) return row.error();
    if (!*row) return unknown(name);
    auto record = NodeRecord::decode(**row);
    transaction.erase(key_of(name));
    if (!record || record->serials.empty()) return {};
    // Every tier is told, so that the node finds no other way in.
    feed::Appender appender(transaction);
    for (const std::string& serial : record->serials)
      appender.append(feed::Change::policy_set(auth::revocation_of(serial), "{}", now));
    auto appended = appender.finish();
    if (!appended) return appended.error();
    return {};
  });
  if (!erased) co_return erased;
  log::info("a node was removed", {{"node", name}});
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(name);
  if (found == known_.end()) co_return erased;
  found->second.revoked->store(true, std::memory_order_release);
  report_bytes_ -= found->second.report_bytes;
  known_.erase(found);
  co_return erased;
}

Task<Result<NodeBook::Joined>> NodeBook::join(std::string name, std::string proof, std::string request_pem) {
  auto key = auth::NodeAuthority::key_of(request_pem);
  if (!key) co_return key.error();
  const WallTime now = clock_.wall();
  const std::string key_hash = *key;
  const std::string request = request_pem;
  std::function<Result<void>(NodeRecord&)> may = [=](NodeRecord& record) -> Result<void> {
    const std::string right = auth::join_proof(record.secret_hash, request);
    if (!auth::equal_secrets(right, proof) || now > record.secret_until) return not_joined();
    // An answer may be lost on its way: who has used the token with this key may use it again.
    if (!record.key_hash.empty() && record.key_hash != key_hash) return not_joined();
    record.key_hash = key_hash;
    return {};
  };
  co_return co_await issue(std::move(name), std::move(request_pem), std::move(may));
}

Task<Result<NodeBook::Joined>> NodeBook::renew(std::string name, std::string request_pem) {
  std::function<Result<void>(NodeRecord&)> may = [](NodeRecord&) -> Result<void> { return {}; };
  co_return co_await issue(std::move(name), std::move(request_pem), std::move(may));
}

Task<Result<NodeBook::Joined>> NodeBook::issue(std::string name, std::string request_pem,
                                               std::function<Result<void>(NodeRecord&)> may) {
  auto known = find(name);
  if (!known) co_return not_joined();
  auto certificate = authority_.certify(request_pem, name, known->projects, clock_.wall());
  if (!certificate) co_return certificate.error();
  auto record = co_await store_.transact([&](kv::Transaction& transaction) -> Result<NodeRecord> {
    auto row = transaction.get(key_of(name));
    if (!row) return row.error();
    if (!*row) return not_joined();
    auto present = NodeRecord::decode(**row);
    if (!present) return present;
    auto allowed = may(*present);
    if (!allowed) return allowed.error();
    // An older one may be in use until the answer has come; all of them end with the node.
    if (present->serials.size() >= kMostCertificates)
      return Error(ErrorKind::kTooManyRequests, "node {} has {} certificates already; remove it and add it anew", name,
                   kMostCertificates);
    present->serials.push_back(certificate->serial());
    transaction.put(key_of(name), present->encode());
    return present;
  });
  if (!record) co_return record.error();
  log::info("a node has a certificate", {{"node", name}, {"serial", certificate->serial()}});
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(name);
    if (found == known_.end()) co_return not_joined();
    found->second.record = *record;
  }
  co_return Joined{std::move(*certificate), std::move(*record)};
}

Result<std::optional<std::string>> NodeBook::who(const http::Request& request, std::string_view body) const {
  const auto authorization = request.header("authorization");
  if (!auth::is_signed_request(authorization)) return std::optional<std::string>();
  auto certificate = auth::check_request(request, body, authority_.certificate(), clock_.wall());
  if (!certificate) return certificate.error();
  const auto record = find(certificate->name());
  if (!record || std::ranges::find(record->serials, certificate->serial()) == record->serials.end())
    return Error(ErrorKind::kUnauthorized, "node {} was removed", certificate->name());
  return std::optional<std::string>(certificate->name());
}

Result<feed::Admitted> NodeBook::admit(const http::Exchange& exchange) {
  auto name = who(exchange.request(), {});
  if (!name) return name.error();
  if (!*name) {
    if (registered_only_) return Error(ErrorKind::kUnauthorized, "only registered nodes may read the feed");
    return feed::Admitted{};
  }
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(**name);
  if (found == known_.end()) return Error(ErrorKind::kUnauthorized, "node {} was removed", **name);
  found->second.seen_at = clock_.wall();
  const auto& projects = found->second.record.projects;
  return feed::Admitted{projects.empty() ? feed::Visibility() : feed::Visibility(projects), found->second.revoked};
}

Result<std::optional<auth::Identity>> NodeBook::identity(const http::Request& request) const {
  auto name = who(request, {});
  if (!name) return name.error();
  if (!*name) return std::optional<auth::Identity>();
  const auto record = find(**name);
  if (!record) return Error(ErrorKind::kUnauthorized, "node {} was removed", **name);
  auth::Identity node;
  node.kind = auth::Identity::Kind::kNode;
  node.id = record->serials.back();
  node.name = record->name;
  node.projects = record->projects;
  node.as_of = clock_.wall();
  return std::optional<auth::Identity>(std::move(node));
}

Result<void> NodeBook::report(const std::string& name, api::Json report, std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(name);
  if (found == known_.end()) return unknown(name);
  Known& known = found->second;
  known.seen_at = clock_.wall();
  const std::size_t others = report_bytes_ - known.report_bytes;
  if (others + bytes > kMostReportBytes)
    return Error(ErrorKind::kUnavailable, "all nodes together have said more than {} bytes", kMostReportBytes);
  report_bytes_ = others + bytes;
  known.report_bytes = bytes;
  known.report = std::move(report);
  return {};
}

api::Json NodeBook::shown(const Known& known) const {
  const NodeRecord& record = known.record;
  api::Json node = {{"name", record.name}, {"projects", record.projects}, {"site", record.site}};
  node["added_at"] = to_rfc3339(record.added_at);
  node["joined"] = !record.serials.empty();
  node["last_seen"] = known.seen_at ? api::Json(to_rfc3339(*known.seen_at)) : api::Json();
  node["report"] = known.report;
  return node;
}

api::Json NodeBook::list() const {
  api::Json nodes = api::Json::array();
  const std::lock_guard lock(mutex_);
  for (const auto& [name, known] : known_) nodes.push_back(shown(known));
  return nodes;
}

}  // namespace wherry::master
