// NodeService: what nodes themselves call: to join, to renew their certificate, to say how they are.
#pragma once

#include "common/http/server.h"
#include "master/audit/audit_log.h"
#include "master/nodes/node_book.h"

namespace wherry::master {

/// POST below kPrefix, JSON in and out: `join` {name, proof, request}, `renew` {request} and `report` (signed by the
/// node). Answers with problem documents (RFC 9457).
class NodeService final : public http::Service {
 public:
  static constexpr std::string_view kPrefix = "/wherry/v1/nodes/";

  /// Both outlive it. `audit`: where it is written down that a node has a certificate.
  NodeService(NodeBook& book, audit::AuditLog& audit) : book_(book), audit_(audit) {}

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  Task<Result<api::Json>> join(const api::Json& document, std::string remote);
  Task<Result<api::Json>> renew(const std::string& name, const api::Json& document, std::string remote);
  void note(const char* action, const NodeBook::Joined& joined, std::string remote);

  NodeBook& book_;
  audit::AuditLog& audit_;
};

}  // namespace wherry::master
