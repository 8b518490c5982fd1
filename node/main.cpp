#include <CLI/CLI.hpp>
#include <cstdio>

#include "common/daemon/command_line.h"
#include "common/http/client.h"
#include "node/cache/node.h"
#include "node/cli/commands.h"
#include "node/clients/command.h"

namespace wherry::node {
namespace {

Result<void> check_parent(const std::string& place, const std::string& url) {
  if (http::is_server_url(url)) return {};
  return Error(ErrorKind::kInvalid, "{}: '{}' is not the URL of a registry, such as https://registry.example:5000",
               place, url);
}

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
  read = section->read("pins", pins);
  if (!read) return read;
  auto patterns = PinPatterns::parse(pins);
  if (!patterns) return Error(ErrorKind::kInvalid, "{}: {}", section->place_of("pins"), patterns.error().message());
  cache.pins = std::move(*patterns);
  return section->finish();
}

int serve(ServeOptions& options, const std::string& parent_flag) {
  NodeOptions node;
  node.parent.url = parent_flag;
  std::string place = "--parent";
  auto complete = options.complete([&](ConfigSection& file) -> Result<void> {
    auto parent = file.section("parent");
    if (!parent) return parent.error();
    std::string url;
    if (auto read = parent->read("url", url); !read) return read;
    if (node.parent.url.empty() && !url.empty()) {
      node.parent.url = url;
      place = parent->place_of("url");
    }
    if (auto read = parent->read_list("names", node.parent.aliases); !read) return read;
    if (auto read = read_common(*parent, node.parent); !read) return read;
    if (auto finished = parent->finish(); !finished) return finished;
    auto upstreams = file.sections("upstreams");
    if (!upstreams) return upstreams.error();
    for (ConfigSection& section : *upstreams) {
      auto upstream = read_upstream(section);
      if (!upstream) return upstream.error();
      node.upstreams.push_back(std::move(*upstream));
    }
    if (auto read = file.read("root", node.root); !read) return read;
    auto freshness = Freshness::read(file);
    if (!freshness) return freshness.error();
    node.freshness = std::move(*freshness);
    return read_cache(file, node.cache);
  });
  if (complete && node.parent.url.empty() && node.upstreams.empty())
    complete = Error(ErrorKind::kInvalid, "--parent: neither a parent nor upstreams are configured");
  if (complete && !node.parent.url.empty()) complete = check_parent(place, node.parent.url);
  if (!complete) {
    std::fprintf(stderr, "wherry-node: %s\n", complete.error().message().c_str());
    return options.config.empty() ? kExitUsage : kExitConfig;
  }
  node.data = options.data;
  node.scrub_round = options.scrub_round;
  if (options.low_water_bytes > 0) node.low_water_bytes = options.low_water_bytes;
  Daemon daemon("wherry-node", options.daemon);
  Node role(std::move(node));
  return daemon.run(role);
}

}  // namespace
}  // namespace wherry::node

int main(int argc, char** argv) {
  wherry::ServeOptions options;
  std::string parent;
  return wherry::serve_command("wherry-node", argc, argv, [&](CLI::App& app, std::function<int()>& run) {
    CLI::App* serve = app.add_subcommand("serve", "run a node");
    options.add_flags(*serve);
    serve->add_option("--parent", parent, "URL of the registry that this node stands for");
    serve->callback([&] { run = [&] { return wherry::node::serve(options, parent); }; });
    wherry::node::add_configure_client(app, run);
    wherry::node::add_status(app, run);
    wherry::node::add_pull(app, run);
  });
}
