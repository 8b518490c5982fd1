// ApiClient: a command's calls to the administration API of a master that runs.
#pragma once

#include <string>

#include "common/http/client.h"
#include "master/api/call.h"

namespace wherry::master {

/// Which master a command talks to.
struct ServerOptions {
  std::string server = "http://127.0.0.1:5000";
  std::string ca_file;
  bool json = false;
};

/// One loop.
class ApiClient {
 public:
  static constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 20;

  explicit ApiClient(const ServerOptions& options);

  /// The document that is answered; null when there is none. `path` begins with /api/v1/. Errors: kInvalid with what
  /// the master says of a refusal; those of http::Client::open().
  Task<Result<api::Json>> ask(std::string method, std::string path, api::Json document = {});

 private:
  std::string server_;
  http::Client client_;
};

/// Checks what was said of the server. Errors: kInvalid, naming the flag.
Result<void> check(const ServerOptions& options);

}  // namespace wherry::master
