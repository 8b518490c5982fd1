#include "node/access/access.h"

#include "common/base/files.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMaxKeyBytes = 8 * 1024;

Result<auth::JwtSigningKey> load_or_make_key(const std::string& path) {
  auto content = read_small_file(path, kMaxKeyBytes);
  if (content) {
    auto key = auth::JwtSigningKey::from_pem(*content);
    if (!key) return Error(ErrorKind::kInvalid, "{}: {}", path, key.error().message());
    return key;
  }
  if (content.error().kind() != ErrorKind::kNotFound) return content.error();
  auto made = auth::JwtSigningKey::make();
  auto saved = replace_secret_file(path, made.pem());
  if (!saved) return saved.error();
  return made;
}

}  // namespace

Access::Access(std::string data, AccessOptions options, std::string parent_url, http::ClientOptions client,
               kv::KeyValue& store, registry::PolicyKeeper& policy, const FollowedNames& names, Membership& membership)
    : data_(std::move(data)),
      options_(std::move(options)),
      policy_(policy),
      names_(names),
      membership_(membership),
      follows_(!parent_url.empty()),
      parent_(std::move(parent_url), std::move(client), membership),
      people_(store) {}

bool Access::is_beyond_grace() {
  if (!follows_) return false;
  thread_local auth::PolicyBoard::View view;
  const auto& policy = view.of(policy_.board());
  const auto standing = names_.standing();
  return !policy->is_known() || !standing || standing->age > policy->settings().offline_grace;
}

Task<Result<void>> Access::start(Pool& disk, std::vector<Loop*> loops) {
  const std::string file = data_ + "/token-key.pem";
  auto key = co_await disk.run([&] { return load_or_make_key(file); });
  if (!key) co_return key.error();
  key_ = std::make_unique<auth::JwtSigningKey>(std::move(*key));
  if (!follows_) {
    auth::Policy nobody;
    auto known = nobody.set(auth::kAccessPolicy, auth::AccessSettings().to_json());
    if (!known) co_return known.error();
    local_.publish(std::move(nobody));
  }
  const auth::PolicyBoard& board = follows_ ? policy_.board() : local_;
  logins_ = std::make_unique<NodeLogins>(board, follows_ ? &parent_ : nullptr, people_, *key_);
  auth::NodeSigner signer = [this](const http::Request& request, std::string_view body) {
    return membership_.signer(request, body);
  };
  tokens_ = std::make_unique<auth::TokenService>(*logins_, std::move(signer));
  auth::TokenGate::Options gate;
  gate.url = options_.url;
  gate.tls = options_.speaks_tls;
  gate.own_key = &key_->public_key();
  gate.is_public_only = [this] { return is_beyond_grace(); };
  auth::NodeCheck nodes = [this](const http::Exchange& exchange) { return membership_.identity(exchange.request()); };
  gate_ = std::make_unique<auth::TokenGate>(board, *logins_, std::move(nodes), std::move(gate), std::move(loops));
  co_return Result<void>();
}

Task<void> Access::stop() { co_await parent_.stop(); }

}  // namespace wherry::node
