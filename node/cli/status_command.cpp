#include <cstdio>

#include "common/async/run_on_loop.h"
#include "common/config/config_file.h"
#include "common/daemon/daemon.h"
#include "common/daemon/tls_options.h"
#include "common/http/client.h"
#include "common/http/place.h"
#include "common/oci/excerpt.h"
#include "node/cli/commands.h"
#include "node/cli/status_table.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMaxStatusBytes = 4 * 1024 * 1024;

struct StatusOptions {
  std::string observe;
  std::string config;
  std::string ca_file;
  bool json = false;
};

/// The URL of the observe address: as a URL or HOST:PORT on the command line, or as in the node's file.
Result<std::string> observe_url(const StatusOptions& options) {
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

Task<Result<std::string>> fetch(const std::string& url, const std::string& ca_file) {
  http::ClientOptions with;
  with.ca_file = ca_file;
  http::Client client(Loop::current(), std::move(with));
  auto transfer = co_await client.open(http::ClientRequest("GET", url));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxStatusBytes);
  if (!body) co_return body.error();
  if ((*transfer)->head().status() != 200)
    co_return Error(ErrorKind::kUpstream, "{} answered {}", url, (*transfer)->head().status());
  co_return body;
}

Task<int> show(const std::string& url, const StatusOptions& options) {
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "wherry-node status: %s\n", printable(error.message(), 300).c_str());
    return 1;
  };
  auto body = co_await fetch(url, options.ca_file);
  if (!body) co_return failed(body.error());
  auto table = status_table(*body);
  if (!table) co_return failed(table.error());
  std::fputs(options.json ? body->c_str() : table->c_str(), stdout);
  co_return 0;
}

int status(const StatusOptions& options) {
  const auto observe = observe_url(options);
  if (!observe) {
    std::fprintf(stderr, "wherry-node status: %s\n", observe.error().message().c_str());
    return kExitUsage;
  }
  const std::string url = *observe + "/status.json";
  return run_on_loop([&] { return show(url, options); });
}

}  // namespace

void add_status(Command& program) {
  auto options = std::make_shared<StatusOptions>();
  Command command = program.command("status", "what a running node holds and fetches, and how its upstreams are",
                                    [options] { return status(*options); });
  command.option("--observe", options->observe, "HOST:PORT of the node's observe address, or its URL");
  command.option("--config", options->config, "the node's YAML file, for that address");
  command.option("--ca-file", options->ca_file, "PEM of who vouches for the node's certificate");
  command.flag("--json", options->json, "as /status.json has it");
}

}  // namespace wherry::node
