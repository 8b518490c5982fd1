#include "node/cli/swarm_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "common/config/json_view.h"
#include "common/config/text.h"
#include "common/swarm/site_tables.h"

namespace wherry::node {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kSwarmBarWidth = 16;

std::vector<std::string> row_of(const ordered_json& blob) {
  const auto bytes = [&](const char* member) { return human_bytes(number_at(blob, member)); };
  const double size = number_at(blob, "size_bytes");
  const double share = size > 0 ? number_at(blob, "held_bytes") / size : 0;
  return {text_at(blob, "digest", kShortDigestBytes),
          text_at(blob, "state"),
          fmt::format("{} {:3.0f}%", bar(share, kSwarmBarWidth), share * 100),
          bytes("held_bytes") + " of " + bytes("size_bytes"),
          bytes("from_parent_bytes"),
          bytes("from_neighbours_bytes"),
          bytes("sent_bytes"),
          fmt::format("{:.0f}", number_at(blob, "neighbours")),
          bytes("received_bytes_per_second") + "/s",
          bytes("sent_bytes_per_second") + "/s",
          text_at(blob, "since"),
          text_at(blob, "repository")};
}

}  // namespace

Result<ordered_json> swarms_of_status(std::string_view json) {
  const auto status = ordered_json::parse(json, nullptr, false);
  const ordered_json& swarms = part_at(status, "swarms");
  if (!swarms.is_object()) return Error(ErrorKind::kInvalid, "this is not the status of a node that knows of swarms");
  return swarms;
}

std::string swarm_table(const ordered_json& swarms) {
  const std::string listen = text_at(swarms, "listen");
  const std::string site = text_at(swarms, "site");
  const double count = number_at(swarms, "count");
  const double gathering = number_at(swarms, "gathering");
  std::string text = "swarms     ";
  if (listen.empty()) text += "this node takes part in none: swarm.listen is not set\n";
  if (!listen.empty() && count == 0) text += "none now";
  if (count > 0) text += fmt::format("{:.0f}: {:.0f} gathering, {:.0f} giving", count, gathering, count - gathering);
  if (!listen.empty()) text += fmt::format("; at {}{}\n", listen, site.empty() ? "" : ", site " + site);
  std::vector<std::vector<std::string>> rows;
  for (const ordered_json* blob : objects_in(part_at(swarms, "listed"))) rows.push_back(row_of(*blob));
  if (!rows.empty())
    text += text_table({"BLOB", "STATE", "", "HELD", "FROM PARENT", "FROM NEIGHBOURS", "SENT", "NEIGHBOURS", "IN",
                        "OUT", "SINCE", "REPOSITORY"},
                       rows);
  if (const auto shown = static_cast<double>(rows.size()); shown < count)
    text += fmt::format("and {:.0f} more\n", count - shown);
  const ordered_json& children = part_at(swarms, "children");
  if (number_at(part_at(children, "totals"), "swarms") > 0)
    text += "\nbelow this node\n" + swarm::site_tables(children);
  return text;
}

}  // namespace wherry::node
