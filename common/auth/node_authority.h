// NodeAuthority: the master's own certificate authority, for its nodes alone.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/node_identity.h"

namespace wherry::auth {

class NodeAuthority {
 public:
  static constexpr std::chrono::days kNodeValidity{365};

  /// Reads key and certificate from a PEM file, or makes them where there is none. Blocks. Errors: kInvalid, kIo.
  static Result<NodeAuthority> load_or_make(const std::string& path);

  const NodeCertificate& certificate() const { return certificate_; }
  /// A certificate for the key of that request, with this name and these projects whatever the request says. Errors:
  /// kInvalid for what is no request, or is not signed by its own key.
  Result<NodeCertificate> certify(std::string_view request_pem, const std::string& name,
                                  const std::vector<std::string>& projects, WallTime now) const;
  /// The same for a member of one swarm, whose name is its one name (CN): libtorrent 2.0.8 loses the memory of others
  /// (subjectAltName) with each handshake.
  Result<NodeCertificate> certify_member(std::string_view request_pem, const std::string& swarm, WallTime now,
                                         std::chrono::hours validity) const;
  /// SHA-256 of the key that a request asks for, as hexadecimal: tells whether two are of the same key.
  static Result<std::string> key_of(std::string_view request_pem);

 private:
  NodeAuthority(NodeKey key, NodeCertificate certificate)
      : key_(std::move(key)), certificate_(std::move(certificate)) {}
  /// `names` beside `name`: as OpenSSL's configuration has a subjectAltName; empty: none.
  Result<NodeCertificate> issue(std::string_view request_pem, const std::string& name, const std::string& names,
                                WallTime now, std::chrono::hours validity) const;

  NodeKey key_;
  NodeCertificate certificate_;
};

}  // namespace wherry::auth
