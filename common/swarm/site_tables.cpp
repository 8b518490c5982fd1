#include "common/swarm/site_tables.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "common/config/json_view.h"
#include "common/config/text.h"

namespace wherry::swarm {
namespace {

using nlohmann::ordered_json;

std::string count_of(const ordered_json& object, const char* member) {
  return fmt::format("{:.0f}", number_at(object, member));
}

std::string site_name(const ordered_json& object) {
  const std::string name = text_at(object, "site");
  return name.empty() ? "-" : name;
}

std::string held_of(const ordered_json& object) {
  return human_bytes(number_at(object, "held_bytes")) + " of " + human_bytes(number_at(object, "whole_bytes"));
}

std::string copies_of(const ordered_json& object) {
  const double copies = number_at(object, "copies");
  return copies > 0 ? fmt::format("{:.2f}", copies) : "-";
}

/// "and N more", when not all of a list are listed.
std::string more_of(const ordered_json& list, double shown, const char* what) {
  const double count = number_at(list, "count");
  return shown < count ? fmt::format("and {:.0f} more {}\n", count - shown, what) : std::string();
}

}  // namespace

std::string site_tables(const ordered_json& map) {
  const ordered_json& totals = part_at(map, "totals");
  const ordered_json& sites = part_at(map, "sites");
  const ordered_json& swarms = part_at(map, "swarms");
  if (number_at(totals, "swarms") == 0) return "nobody shares a blob now\n";
  std::vector<std::vector<std::string>> site_rows;
  std::vector<std::vector<std::string>> node_rows;
  double nodes = 0;
  for (const ordered_json* site : objects_in(part_at(sites, "listed"))) {
    const ordered_json& below = part_at(*site, "nodes");
    nodes += number_at(below, "count");
    site_rows.push_back({site_name(*site), count_of(below, "count"), count_of(*site, "swarms"),
                         count_of(*site, "gathering"), count_of(*site, "giving"), held_of(*site),
                         human_bytes(number_at(*site, "leased_bytes")), copies_of(*site)});
    for (const ordered_json* node : objects_in(part_at(below, "listed")))
      node_rows.push_back({text_at(*node, "name"), site_name(*site), count_of(*node, "gathering"),
                           count_of(*node, "giving"), count_of(*node, "bridges"), held_of(*node)});
  }
  std::vector<std::vector<std::string>> swarm_rows;
  const auto listed = objects_in(part_at(swarms, "listed"));
  for (const ordered_json* swarm : listed)
    swarm_rows.push_back({text_at(*swarm, "digest", kShortDigestBytes), human_bytes(number_at(*swarm, "size_bytes")),
                          count_of(part_at(*swarm, "sites"), "count"), count_of(*swarm, "gathering"),
                          count_of(*swarm, "giving"), human_bytes(number_at(*swarm, "leased_bytes")), copies_of(*swarm),
                          text_at(*swarm, "repository")});
  std::string text =
      text_table({"SITE", "NODES", "SWARMS", "GATHERING", "GIVING", "HELD", "LEASED", "COPIES"}, site_rows) +
      more_of(sites, static_cast<double>(site_rows.size()), "sites");
  text += "\n" + text_table({"NODE", "SITE", "GATHERING", "GIVING", "BRIDGES", "HELD"}, node_rows);
  if (const auto shown = static_cast<double>(node_rows.size()); shown < nodes)
    text += fmt::format("and {:.0f} more nodes\n", nodes - shown);
  text +=
      "\n" + text_table({"BLOB", "SIZE", "SITES", "GATHERING", "GIVING", "LEASED", "COPIES", "REPOSITORY"}, swarm_rows);
  return text + more_of(swarms, static_cast<double>(listed.size()), "swarms");
}

}  // namespace wherry::swarm
