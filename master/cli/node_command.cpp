#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/config/json_view.h"
#include "common/config/text.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "master/cli/commands.h"
#include "master/cli/server_command.h"

namespace wherry::master {
namespace {

using api::Json;

constexpr const char* kNodeProgram = "node";
constexpr const char* kNodes = "/api/v1/nodes";
constexpr const char* kFillAheadProgram = "fill-ahead";
constexpr const char* kFillAhead = "/api/v1/replication/fill-ahead";
constexpr std::size_t kNodeCellBytes = 60;
constexpr int kMostTiers = 16;

struct NodeOptions : ServerOptions {
  std::string name;
  std::string site;
  std::vector<std::string> projects;
  std::vector<std::string> repositories;
  std::vector<std::string> tags;
  std::vector<std::string> nodes;
  std::vector<std::string> platforms;
};

/// A node and, indented, what is below it.
void add_rows(std::vector<std::vector<std::string>>& rows, const Json& node, int tier) {
  const Json& report = part_at(node, "report");
  const Json& feed = part_at(report, "feed");
  const double position = number_at(feed, "position");
  const double newest = number_at(feed, "newest");
  const std::string last_seen = text_at(node, "last_seen");
  rows.push_back({std::string(static_cast<std::size_t>(2 * tier), ' ') + text_at(node, "name"),
                  last_seen.empty() ? "never" : last_seen, report.is_object() ? text_at(feed, "state") : "-",
                  report.is_object() ? fmt::format("{:.0f}", position) : "-",
                  report.is_object() ? fmt::format("{:.0f}", std::max(0.0, newest - position)) : "-",
                  report.is_object() ? human_bytes(number_at(part_at(report, "cache"), "bytes")) : "-",
                  text_at(report, "version"), text_at(node, "site")});
  if (tier < kMostTiers)
    for (const Json* child : objects_in(part_at(report, "children"))) add_rows(rows, *child, tier + 1);
}

/// The names of all that is below a node.
void collect_below(std::set<std::string>& names, const Json& node, int tier) {
  if (tier >= kMostTiers) return;
  for (const Json* child : objects_in(part_at(part_at(node, "report"), "children"))) {
    names.insert(text_at(*child, "name"));
    collect_below(names, *child, tier + 1);
  }
}

Task<int> list_nodes(const NodeOptions& options) {
  ApiClient client(options);
  auto nodes = co_await client.ask("GET", kNodes);
  if (!nodes) co_return failed(kNodeProgram, nodes.error());
  if (options.json) {
    print_json(*nodes);
    co_return 0;
  }
  std::vector<std::vector<std::string>> rows;
  std::set<std::string> shown;
  for (const Json& node : *nodes) collect_below(shown, node, 0);
  for (const Json& node : *nodes)  // who reports to a node alone stands beneath that one
    if (!text_at(node, "last_seen").empty() || !shown.contains(text_at(node, "name"))) add_rows(rows, node, 0);
  print(text_table({"NAME", "LAST SEEN", "FEED", "POSITION", "LAG", "CACHE", "VERSION", "SITE"}, rows));
  co_return 0;
}

Task<int> add_node(const NodeOptions& options) {
  ApiClient client(options);
  const Json document = {{"name", options.name}, {"projects", options.projects}, {"site", options.site}};
  auto added = co_await client.ask("POST", kNodes, document);
  if (!added) co_return failed(kNodeProgram, added.error());
  options.json ? print_json(*added) : print(added->value("join_token", std::string()) + "\n");
  co_return 0;
}

Task<int> remove_node(const NodeOptions& options) {
  ApiClient client(options);
  auto removed = co_await client.ask("DELETE", std::string(kNodes) + "/" + http::percent_encode(options.name));
  if (!removed) co_return failed(kNodeProgram, removed.error());
  print("node " + printable(options.name, kNodeCellBytes) + " is removed\n");
  co_return 0;
}

std::string fill_ahead_path(const NodeOptions& options) {
  return std::string(kFillAhead) + "/" + http::percent_encode(options.name);
}

Task<int> list_fill_ahead(const NodeOptions& options) {
  ApiClient client(options);
  auto policies = co_await client.ask("GET", kFillAhead);
  if (!policies) co_return failed(kFillAheadProgram, policies.error());
  print_json(*policies);
  co_return 0;
}

Task<int> set_fill_ahead(const NodeOptions& options) {
  ApiClient client(options);
  Json document = Json::object();
  const auto add = [&](const char* member, const std::vector<std::string>& patterns) {
    if (!patterns.empty()) document[member] = patterns;
  };
  add("repositories", options.repositories);
  add("tags", options.tags);
  add("nodes", options.nodes);
  add("platforms", options.platforms);
  auto put = co_await client.ask("PUT", fill_ahead_path(options), std::move(document));
  if (!put) co_return failed(kFillAheadProgram, put.error());
  options.json ? print_json(*put) : print("policy " + printable(options.name, kNodeCellBytes) + " is in force\n");
  co_return 0;
}

Task<int> remove_fill_ahead(const NodeOptions& options) {
  ApiClient client(options);
  auto removed = co_await client.ask("DELETE", fill_ahead_path(options));
  if (!removed) co_return failed(kFillAheadProgram, removed.error());
  print("policy " + printable(options.name, kNodeCellBytes) + " is removed\n");
  co_return 0;
}

}  // namespace

void add_nodes(Command& program) {
  auto options = std::make_shared<NodeOptions>();
  Command node = program.group("node", "nodes that may read the feed");
  const auto add_to = [&](Command& below, const char* name, const char* help, Task<int> (*work)(const NodeOptions&),
                          const char* who) {
    return add_server_command(below, who, options, name, help, [options, work] { return work(*options); });
  };
  add_to(node, "list", "all nodes, with those below each", list_nodes, kNodeProgram);
  Command add =
      add_to(node, "add", "a new node; prints its join token, which holds once and for a day", add_node, kNodeProgram);
  add.option("NAME", options->name, "a-z, 0-9 and '-'").required();
  add.option("--projects", options->projects, "what it sees: names, or patterns with '*'; all if left out");
  add.option("--site", options->site, "where it stands, for people");
  add_to(node, "remove", "ends its streams and its certificate, in every tier", remove_node, kNodeProgram)
      .option("NAME", options->name, "the node")
      .required();
  Command ahead = program.group("fill-ahead", "images that nodes bring in before anybody asks");
  add_to(ahead, "list", "all policies", list_fill_ahead, kFillAheadProgram);
  Command set = add_to(ahead, "set", "makes or replaces a policy", set_fill_ahead, kFillAheadProgram);
  set.option("NAME", options->name, "the policy").required();
  set.option("--repositories", options->repositories, "patterns; '**' goes over slashes; all if left out");
  set.option("--tags", options->tags, "patterns of tags");
  set.option("--nodes", options->nodes, "patterns of nodes' names");
  set.option("--platforms", options->platforms, "of an index: OS/ARCH; all if left out");
  add_to(ahead, "remove", "removes a policy; what it brought stays", remove_fill_ahead, kFillAheadProgram)
      .option("NAME", options->name, "the policy")
      .required();
}

}  // namespace wherry::master
