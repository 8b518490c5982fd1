#include "master/cli/api_client.h"

#include "common/http/place.h"
#include "common/oci/excerpt.h"

namespace wherry::master {
namespace {

constexpr std::size_t kShownBytes = 500;

http::ClientOptions client_options(const ServerOptions& options) {
  http::ClientOptions with;
  with.ca_file = options.ca_file;
  return with;
}

}  // namespace

ApiClient::ApiClient(const ServerOptions& options)
    : server_(options.server), client_(Loop::current(), client_options(options)) {
  while (server_.ends_with('/')) server_.pop_back();
}

Task<Result<api::Json>> ApiClient::ask(std::string method, std::string path, api::Json document) {
  http::ClientRequest request(std::move(method), server_ + path);
  if (!document.is_null()) {
    request.header("Content-Type", "application/json");
    request.body(document.dump());
  } else if (request.method() != "GET") {
    request.header("Content-Length", "0");
  }
  auto transfer = co_await client_.open(std::move(request));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxAnswerBytes);
  if (!body) co_return body.error();
  const int status = (*transfer)->head().status();
  auto answer = body->empty() ? api::Json() : api::Json::parse(*body, nullptr, false);
  if (status < 400 && !answer.is_discarded()) co_return answer;
  std::string why = "it answered what is no document of this API";
  if (answer.is_object() && answer.contains("detail") && answer["detail"].is_string())
    why = printable(answer["detail"].get<std::string>(), kShownBytes);
  co_return Error(ErrorKind::kInvalid, "{}: {} ({})", server_, why, status);
}

Result<void> check(const ServerOptions& options) {
  if (!http::is_server_url(options.server))
    return Error(ErrorKind::kInvalid, "--server: {} is not a URL such as http://127.0.0.1:5000",
                 excerpt(options.server));
  return {};
}

}  // namespace wherry::master
