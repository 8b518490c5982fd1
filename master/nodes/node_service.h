// NodeService: what nodes themselves call: to join, to renew their certificate, to say how they are.
#pragma once

#include "common/http/server.h"
#include "master/nodes/node_book.h"

namespace wherry::master {

/// POST below kPrefix, JSON in and out: `join` {name, proof, request}, `renew` {request} and `report` (signed by the
/// node). Answers with problem documents (RFC 9457).
class NodeService final : public http::Service {
 public:
  static constexpr std::string_view kPrefix = "/wherry/v1/nodes/";

  explicit NodeService(NodeBook& book) : book_(book) {}

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  Task<Result<api::Json>> join(const api::Json& document);
  Task<Result<api::Json>> renew(const std::string& name, const api::Json& document);

  NodeBook& book_;
};

}  // namespace wherry::master
