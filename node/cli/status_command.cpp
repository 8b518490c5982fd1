#include <cstdio>

#include "common/async/run_on_loop.h"
#include "common/daemon/daemon.h"
#include "node/cli/commands.h"
#include "node/cli/observed.h"
#include "node/cli/status_table.h"

namespace wherry::node {
namespace {

constexpr const char* kStatus = "status";

Task<int> show_status(const std::string& url, const ObserveOptions& options) {
  auto body = co_await ask_status(url, options.ca_file);
  if (!body) co_return say_failure(kStatus, body.error());
  const auto table = status_table(*body);
  if (!table) co_return say_failure(kStatus, table.error());
  std::fputs(options.json ? body->c_str() : table->c_str(), stdout);
  co_return 0;
}

int status(const ObserveOptions& options) {
  const auto url = status_url(options);
  if (!url) {
    say_failure(kStatus, url.error());
    return kExitUsage;
  }
  return run_on_loop([&] { return show_status(*url, options); });
}

}  // namespace

void add_status(Command& program) {
  auto options = std::make_shared<ObserveOptions>();
  Command command = program.command(kStatus, "what a running node holds and fetches, and how its upstreams are",
                                    [options] { return status(*options); });
  add_observe_options(command, *options);
}

}  // namespace wherry::node
