#include "node/cli/observed.h"

#include <cstdio>

#include "common/async/loop.h"
#include "common/config/config_file.h"
#include "common/daemon/tls_options.h"
#include "common/http/client.h"
#include "common/http/place.h"
#include "common/oci/excerpt.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMaxStatusBytes = 8 * 1024 * 1024;

/// The URL of the observe address: as a URL or HOST:PORT on the command line, or as in the node's file.
Result<std::string> observe_url(const ObserveOptions& options) {
  if (http::is_server_url(options.observe)) return options.observe;
  if (options.observe.empty() && options.config.empty())
    return Error(ErrorKind::kInvalid, "--observe: name HOST:PORT of the node's observe address, or --config");
  if (!options.observe.empty()) {
    const auto address = SocketAddress::parse(options.observe);
    if (!address) return Error(ErrorKind::kInvalid, "--observe: {}", address.error().message());
    return "http://" + address->reached_from_here().to_string();
  }
  auto file = ConfigSection::load(options.config);
  if (!file) return file.error();
  std::string observe;
  if (auto read = file->read("observe", observe); !read) return read.error();
  const auto address = SocketAddress::parse(observe);
  if (!address) return Error(ErrorKind::kInvalid, "{}: {}", file->place_of("observe"), address.error().message());
  return url_from_here(*address, *file, "observe-tls");
}

}  // namespace

void add_observe_options(Command& command, ObserveOptions& options) {
  command.option("--observe", options.observe, "HOST:PORT of the node's observe address, or its URL");
  command.option("--config", options.config, "the node's YAML file, for that address");
  command.option("--ca-file", options.ca_file, "PEM of who vouches for the node's certificate");
  command.flag("--json", options.json, "as /status.json has it");
}

Result<std::string> status_url(const ObserveOptions& options) {
  auto observe = observe_url(options);
  if (!observe) return observe.error();
  return *observe + "/status.json";
}

Task<Result<std::string>> ask_status(std::string url, std::string ca_file) {
  http::ClientOptions with;
  with.ca_file = std::move(ca_file);
  http::Client client(Loop::current(), std::move(with));
  auto transfer = co_await client.open(http::ClientRequest("GET", url));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxStatusBytes);
  if (!body) co_return body.error();
  if ((*transfer)->head().status() != 200)
    co_return Error(ErrorKind::kUpstream, "{} answered {}", url, (*transfer)->head().status());
  co_return body;
}

int say_failure(const char* command, const Error& error) {
  std::fprintf(stderr, "wherry-node %s: %s\n", command, printable(error.message(), 300).c_str());
  return 1;
}

}  // namespace wherry::node
