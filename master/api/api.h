// Api: the administration API below /api/v1/: other rooms add their endpoints to it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/gate.h"
#include "common/http/server.h"
#include "common/observe/metrics.h"
#include "master/api/endpoint.h"
#include "master/api/path_pattern.h"
#include "master/audit/audit_log.h"

namespace wherry::api {

/// Finds the endpoint of a request, reads its document, and has it answered, every handler on one and the same loop: so
/// what they share needs no lock. Describes itself at kDocumentPath. add() all before it serves.
class Api final : public http::Service {
 public:
  static constexpr std::string_view kPrefix = "/api/v1/";
  static constexpr std::string_view kDocumentPath = "/api/v1/openapi.json";
  static constexpr std::size_t kMaxBodyBytes = std::size_t{1} << 20;
  static constexpr int kMaxDepth = 32;  ///< of a document that is sent

  /// Handlers run on `home`.
  Api(Loop& home, auth::Gate& gate, Metrics& metrics);

  void add(Endpoint endpoint);
  /// Writes down all that is done by calls, before their answers go; nothing is done for which it has no room. It
  /// outlives this.
  void audit_to(audit::AuditLog& log) { audit_ = &log; }
  /// A schema that endpoints name by ref().
  void add_schema(const std::string& name, Json schema) { schemas_.insert_or_assign(name, std::move(schema)); }

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange& exchange, Duration took) override;

 private:
  struct Route {
    std::string method;
    PathPattern pattern;
    Handler handler;
    Needs needs;
    std::string id;
  };
  struct Found {
    const Route* route = nullptr;
    std::map<std::string, std::string> values;
    std::string allow;  ///< the methods of that path; empty: there is no such path
  };
  Found find(std::string_view method, std::string_view path) const;
  Task<Result<Answer>> answer(http::Exchange& exchange, const Route& route, std::map<std::string, std::string> path);
  Task<Result<auth::Visitor>> visitor_of(http::Exchange& exchange, const Needs& needs);
  Task<Result<Answer>> describe();
  Task<Result<Answer>> run_at_home(const Handler& handler, const Call& call);
  Task<Result<Answer>> run_audited(std::string method, std::string place, const Route& route, const Call& call);

  Loop& home_;
  auth::Gate& gate_;
  audit::AuditLog* audit_ = nullptr;
  std::vector<Endpoint> endpoints_;
  std::vector<Route> routes_;
  std::map<std::string, Json> schemas_;
  Counter good_;
  Counter refused_;
  Counter failed_;
};

}  // namespace wherry::api
