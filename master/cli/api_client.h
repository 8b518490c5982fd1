// ApiClient: a command's calls to the administration API of a master that runs.
#pragma once

#include <optional>
#include <string>

#include "common/http/client.h"
#include "master/api/call.h"

namespace wherry::master {

/// Which master a command talks to.
struct ServerOptions {
  std::string server = "http://127.0.0.1:5000";
  std::string ca_file;
  bool json = false;
  std::string user;           ///< with password_file: for this command alone
  std::string password_file;  ///< "-": standard input
  bool is_nobody = false;     ///< shows nothing, whoever is logged in
};

/// One loop.
class ApiClient {
 public:
  static constexpr std::size_t kMaxAnswerBytes = std::size_t{64} << 20;

  explicit ApiClient(const ServerOptions& options);

  /// The document that is answered; null when there is none. `path` begins with /api/v1/. Errors: kInvalid with what
  /// the master says of a refusal; those of http::Client::open().
  Task<Result<api::Json>> ask(std::string method, std::string path, api::Json document = {});
  /// Begins a session; gives its refresh token. Errors: kInvalid with what the master says.
  Task<Result<std::string>> log_in(std::string user, std::string password);

 private:
  /// The header that shows who asks: of `user`, or of who is logged in; nothing when nobody is.
  Task<Result<std::optional<std::string>>> authorization();
  Task<Result<api::Json>> ask_for_token(std::string form);

  const ServerOptions options_;
  std::optional<std::string> shown_;
  std::string server_;
  const bool is_safe_;
  http::Client client_;
};

/// Checks what was said of the server. Errors: kInvalid, naming the flag.
Result<void> check(const ServerOptions& options);

}  // namespace wherry::master
