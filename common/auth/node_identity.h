// NodeIdentity: a node's key and the certificate that its master gave it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"

struct evp_pkey_st;
struct x509_st;

namespace wherry::auth {

/// A certificate of a node, as somebody shows it.
class NodeCertificate {
 public:
  /// From PEM or DER. Errors: kInvalid.
  static Result<NodeCertificate> from_pem(std::string_view pem);
  static Result<NodeCertificate> from_der(std::string_view der);

  const std::string& name() const { return name_; }
  /// Patterns of the projects that it may see; empty: all.
  const std::vector<std::string>& projects() const { return projects_; }
  /// Hexadecimal; each certificate has its own.
  const std::string& serial() const { return serial_; }
  WallTime not_after() const { return not_after_; }
  std::string pem() const;
  std::string der() const;
  /// That `authority` issued it, for a node, and that `now` is in its time. Errors: kUnauthorized, saying why.
  Result<void> check(const NodeCertificate& authority, WallTime now) const;
  /// The first half of that: it does not change. About 100 us.
  Result<void> check_issuer(const NodeCertificate& authority) const;
  /// The second half.
  Result<void> check_time(WallTime now) const;
  /// Whether both are copies of one object.
  bool is_same(const NodeCertificate& other) const { return certificate_ == other.certificate_; }
  /// Whether its key made that signature (ECDSA P-256 with SHA-256). About 60 us.
  bool verify(std::string_view message, std::string_view signature) const;

 private:
  friend class NodeAuthority;
  explicit NodeCertificate(std::shared_ptr<x509_st> certificate);
  std::shared_ptr<x509_st> certificate_;
  std::string name_;
  std::string serial_;
  std::vector<std::string> projects_;
  WallTime not_before_{};
  WallTime not_after_{};
};

/// ECDSA P-256, and what it signs.
class NodeKey {
 public:
  static NodeKey make();
  static Result<NodeKey> from_pem(std::string_view pem);
  std::string pem() const;
  std::string sign(std::string_view message) const;
  /// A request for a certificate with this name (PKCS #10, PEM).
  std::string certificate_request(const std::string& name) const;

 private:
  friend class NodeAuthority;
  explicit NodeKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

/// What a registered node keeps: its key, its certificate, the authority's.
class NodeIdentity {
 public:
  NodeIdentity(NodeKey key, NodeCertificate certificate, NodeCertificate authority)
      : key_(std::move(key)), certificate_(std::move(certificate)), authority_(std::move(authority)) {}

  /// One PEM file with all three. Blocks. Nothing when there is no file. Errors: kInvalid, kIo.
  static Result<std::optional<NodeIdentity>> load(const std::string& path);
  /// 0600, synced, in the place of what is there. Blocks.
  Result<void> save(const std::string& path) const;

  const std::string& name() const { return certificate_.name(); }
  const NodeKey& key() const { return key_; }
  const NodeCertificate& certificate() const { return certificate_; }
  const NodeCertificate& authority() const { return authority_; }

 private:
  NodeKey key_;
  NodeCertificate certificate_;
  NodeCertificate authority_;
};

/// Letters, digits and '-', 1 to 63, not beginning or ending with '-': what a host may be called (RFC 1123).
bool is_node_name(std::string_view name);

/// 1 to 128 of a-z, 0-9, '.', '_', '-' and, for any characters, '*': what a certificate can say.
bool is_project_pattern(std::string_view pattern);
/// In a certificate, before a pattern.
inline constexpr std::string_view kProjectUri = "urn:wherry:project:";
/// The policy in the feed that says that the certificate with this serial number does not count any more.
inline constexpr std::string_view kRevocation = "revoked-node.";
/// The policy in the feed that says that only registered nodes may read it.
inline constexpr std::string_view kRegisteredOnly = "feed.registered-only";
inline std::string revocation_of(std::string_view serial) { return std::string(kRevocation).append(serial); }

}  // namespace wherry::auth
