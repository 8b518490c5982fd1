#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "common/async/run_on_loop.h"
#include "common/async/sleep.h"
#include "common/config/json_view.h"
#include "common/daemon/daemon.h"
#include "node/cli/commands.h"
#include "node/cli/observed.h"
#include "node/cli/swarm_table.h"

namespace wherry::node {
namespace {

constexpr const char* kSwarm = "swarm";
constexpr std::chrono::seconds kWatchEvery{1};
constexpr const char* kClearTerminal = "\x1b[H\x1b[J";

struct SwarmCommand : ObserveOptions {
  bool watch = false;
};

Task<int> show_swarm(const std::string& url, const SwarmCommand& options) {
  const bool clears = options.watch && ::isatty(STDOUT_FILENO) == 1;
  do {
    auto body = co_await ask_status(url, options.ca_file);
    if (!body) co_return say_failure(kSwarm, body.error());
    const auto swarms = swarms_of_status(*body);
    if (!swarms) co_return say_failure(kSwarm, swarms.error());
    std::string text = swarm_table(*swarms);
    if (options.watch && !clears) text += "\n";
    if (options.json) text = swarms->dump() + "\n";
    if (clears) std::fputs(kClearTerminal, stdout);
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
    if (options.watch) co_await sleep_for(kWatchEvery);
  } while (options.watch);
  co_return 0;
}

int show_swarms(const SwarmCommand& options) {
  const auto url = status_url(options);
  if (!url) {
    say_failure(kSwarm, url.error());
    return kExitUsage;
  }
  return run_on_loop([&] { return show_swarm(*url, options); });
}

}  // namespace

void add_swarm(Command& program) {
  auto options = std::make_shared<SwarmCommand>();
  Command command = program.command(kSwarm, "blobs that a running node shares with its neighbours, and those below it",
                                    [options] { return show_swarms(*options); });
  add_observe_options(command, *options);
  command.flag("--watch", options->watch, "again each second, until it is interrupted");
}

}  // namespace wherry::node
