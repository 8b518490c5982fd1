// Access: the part of a node that decides who may pull what, put together.
#pragma once

#include <memory>
#include <string>

#include "common/auth/token_gate.h"
#include "common/auth/token_service.h"
#include "common/registry/policy_keeper.h"
#include "node/access/node_logins.h"
#include "node/follow/followed_names.h"
#include "node/follow/membership.h"

namespace wherry::node {

struct AccessOptions {
  std::string url;          ///< access.url: how clients reach this node
  bool speaks_tls = false;  ///< towards clients: here, or by what stands before it
};

class Access {
 public:
  /// `parent_url`: empty where nobody is followed: then nobody logs in, and everybody sees what upstreams have for all.
  /// All outlive it. On the first loop.
  Access(std::string data, AccessOptions options, std::string parent_url, http::ClientOptions client,
         kv::KeyValue& store, registry::PolicyKeeper& policy, const FollowedNames& names, Membership& membership);

  /// Makes the node's own key where there is none. Errors: kInvalid, kIo.
  Task<Result<void>> start(Pool& disk, std::vector<Loop*> loops);
  Task<void> stop();

  auth::Gate& gate() { return *gate_; }
  http::Service& tokens() { return *tokens_; }

 private:
  /// The master has not been heard of for longer than its policy lets anybody go on.
  bool is_beyond_grace();

  const std::string data_;
  const AccessOptions options_;
  registry::PolicyKeeper& policy_;
  const FollowedNames& names_;
  Membership& membership_;
  const bool follows_;
  ParentTokens parent_;
  KnownPeople people_;
  auth::PolicyBoard local_;  // of a node that follows nobody
  std::unique_ptr<auth::JwtSigningKey> key_;
  std::unique_ptr<NodeLogins> logins_;
  std::unique_ptr<auth::TokenService> tokens_;
  std::unique_ptr<auth::TokenGate> gate_;
};

}  // namespace wherry::node
