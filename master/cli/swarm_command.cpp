#include "common/swarm/site_tables.h"
#include "master/cli/commands.h"
#include "master/cli/server_command.h"

namespace wherry::master {
namespace {

constexpr const char* kSwarmProgram = "swarm";
constexpr const char* kSwarms = "/api/v1/swarms";

Task<int> show_swarms(const ServerOptions& options) {
  ApiClient client(options);
  auto map = co_await client.ask("GET", kSwarms);
  if (!map) co_return wherry::master::failed(kSwarmProgram, map.error());
  options.json ? print_json(*map) : print(swarm::site_tables(*map));
  co_return 0;
}

}  // namespace

void add_swarm(Command& program) {
  auto options = std::make_shared<ServerOptions>();
  add_server_command(program, kSwarmProgram, options, kSwarmProgram,
                     "which nodes share large blobs, site by site, and how many copies left the master",
                     [options] { return show_swarms(*options); });
}

}  // namespace wherry::master
