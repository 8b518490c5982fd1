#include <cstdio>

#include "common/async/run_on_loop.h"
#include "common/config/config_file.h"
#include "common/daemon/daemon.h"
#include "common/http/client.h"
#include "common/oci/excerpt.h"
#include "node/cli/commands.h"
#include "node/cli/status_table.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMaxStatusBytes = 4 * 1024 * 1024;

struct StatusOptions {
  std::string observe;
  std::string config;
  bool json = false;
};

Result<SocketAddress> observe_address(const StatusOptions& options) {
  std::string observe = options.observe;
  if (observe.empty() && !options.config.empty()) {
    auto file = ConfigSection::load(options.config);
    if (!file) return file.error();
    if (auto read = file->read("observe", observe); !read) return read.error();
  }
  if (observe.empty())
    return Error(ErrorKind::kInvalid, "--observe: name HOST:PORT of the node's observe address, or --config");
  auto address = SocketAddress::parse(observe);
  if (!address) return Error(ErrorKind::kInvalid, "--observe: {}", address.error().message());
  return address;
}

Task<Result<std::string>> fetch(const std::string& url) {
  http::ClientOptions with;
  http::Client client(Loop::current(), std::move(with));
  auto transfer = co_await client.open(http::ClientRequest("GET", url));
  if (!transfer) co_return transfer.error();
  auto body = co_await (*transfer)->read_whole(kMaxStatusBytes);
  if (!body) co_return body.error();
  if ((*transfer)->head().status() != 200)
    co_return Error(ErrorKind::kUpstream, "{} answered {}", url, (*transfer)->head().status());
  co_return body;
}

Task<int> show(const std::string& url, bool json) {
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "wherry-node status: %s\n", printable(error.message(), 300).c_str());
    return 1;
  };
  auto body = co_await fetch(url);
  if (!body) co_return failed(body.error());
  auto table = status_table(*body);
  if (!table) co_return failed(table.error());
  std::fputs(json ? body->c_str() : table->c_str(), stdout);
  co_return 0;
}

int status(const StatusOptions& options) {
  const auto address = observe_address(options);
  if (!address) {
    std::fprintf(stderr, "wherry-node status: %s\n", address.error().message().c_str());
    return kExitUsage;
  }
  const std::string url = "http://" + address->reached_from_here().to_string() + "/status.json";
  return run_on_loop([&] { return show(url, options.json); });
}

}  // namespace

void add_status(Command& program) {
  auto options = std::make_shared<StatusOptions>();
  Command command = program.command("status", "what a running node holds and fetches, and how its upstreams are",
                                    [options] { return status(*options); });
  command.option("--observe", options->observe, "HOST:PORT of the node's observe address");
  command.option("--config", options->config, "the node's YAML file, for that address");
  command.flag("--json", options->json, "as /status.json has it");
}

}  // namespace wherry::node
