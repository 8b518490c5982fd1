#include <cstdio>

#include "common/base/core_files.h"
#include "common/daemon/serve_options.h"
#include "common/http/place.h"
#include "node/airgap/command.h"
#include "node/cache/node.h"
#include "node/cli/commands.h"
#include "node/clients/command.h"

namespace wherry::node {
namespace {

Result<void> read_cache(ConfigSection& file, CacheOptions& cache) {
  auto section = file.section("cache");
  if (!section) return section.error();
  std::uint64_t max_bytes = 0;
  auto read = section->read_bytes("max-bytes", max_bytes);
  if (!read) return read;
  if (max_bytes > 0) cache.max_bytes = max_bytes;
  read = section->read_duration("whole-image-time", cache.whole_image_time);
  if (!read) return read;
  std::vector<std::string> pins;
  read = section->read_list("pins", pins);
  if (!read) return read;
  auto patterns = PinPatterns::parse(pins);
  if (!patterns) return Error(ErrorKind::kInvalid, "{}: {}", section->place_of("pins"), patterns.error().message());
  cache.pins = std::move(*patterns);
  return section->finish();
}

int serve(ServeOptions& options, const std::string& parent_flag, const std::string& join_flag) {
  NodeOptions node;
  auto complete = options.complete([&](ConfigSection& file) -> Result<void> {
    auto registries = read_registries(file);
    if (!registries) return registries.error();
    node.registries = std::move(*registries);
    auto freshness = Freshness::read(file);
    if (!freshness) return freshness.error();
    node.freshness = std::move(*freshness);
    auto swarm = SwarmOptions::read(file);
    if (!swarm) return swarm.error();
    node.swarm = std::move(*swarm);
    return read_cache(file, node.cache);
  });
  if (!parent_flag.empty()) node.registries.parent.url = parent_flag;
  if (!join_flag.empty()) node.registries.follow.join = join_flag;
  if (complete && !parent_flag.empty() && !http::is_server_url(parent_flag))
    complete = Error(ErrorKind::kInvalid,
                     "--parent: '{}' is not the URL of a registry, such as https://registry.example:5000", parent_flag);
  if (complete && node.registries.parent.url.empty() && node.registries.upstreams.empty())
    complete = Error(ErrorKind::kInvalid, "--parent: neither a parent nor upstreams are configured");
  if (!complete) {
    std::fprintf(stderr, "wherry-node: %s\n", complete.error().message().c_str());
    return options.config.empty() ? kExitUsage : kExitConfig;
  }
  node.data = options.data;
  node.is_open = options.insecure_open;
  node.access.url = options.access_url;
  node.access.speaks_tls = options.speaks_tls();
  node.scrub_round = options.scrub_round;
  if (options.low_water_bytes > 0) node.low_water_bytes = options.low_water_bytes;
  Daemon daemon("wherry-node", options.daemon);
  Node role(std::move(node));
  return daemon.run(role);
}

}  // namespace
}  // namespace wherry::node

int main(int argc, char** argv) {
  wherry::forbid_core_files();
  wherry::ServeOptions options;
  std::string parent;
  std::string join;
  return wherry::run_program("wherry-node", wherry::kAbout, argc, argv, [&](wherry::Command& program) {
    auto serve = program.command("serve", "run a node", [&] {
      wherry::hide_argument(argc, argv, join);
      return wherry::node::serve(options, parent, join);
    });
    options.add_flags(serve);
    serve.option("--parent", parent, "URL of the registry that this node stands for");
    serve.option("--join", join, "token of `wherry-master node add`, for the first start");
    wherry::node::add_configure_client(program);
    wherry::node::add_status(program);
    wherry::node::add_swarm(program);
    wherry::node::add_pull(program);
    wherry::node::add_import(program);
  });
}
