#include "node/cli/status_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/config/json_view.h"
#include "common/config/text.h"
#include "common/oci/excerpt.h"

namespace wherry::node {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNameBytes = 40;
constexpr std::size_t kErrorBytes = 160;
constexpr std::size_t kTableBarWidth = 22;

void add_fill(std::string& table, const ordered_json& fill) {
  const double done = number_at(fill, "done_bytes");
  const double total = number_at(fill, "total_bytes");
  const double share = total > 0 ? done / total : 0;
  table += fmt::format("  {}  {} {:3.0f}%  {} of {}  {}/s  {}\n", text_at(fill, "digest", kShortDigestBytes),
                       bar(share, kTableBarWidth), share * 100, human_bytes(done), total > 0 ? human_bytes(total) : "?",
                       human_bytes(number_at(fill, "bytes_per_second")), text_at(fill, "repository", kNameBytes));
}

void add_upstream(std::string& table, const ordered_json& upstream) {
  table += fmt::format("  {:<20} {}  {}", text_at(upstream, "name", kNameBytes), text_at(upstream, "url", kErrorBytes),
                       text_at(upstream, "state", kNameBytes));
  if (const auto since = text_at(upstream, "since", kNameBytes); !since.empty()) table += " since " + since;
  if (const auto calls = upstream.find("calls"); calls != upstream.end() && calls->is_object())
    for (const auto& [code, count] : calls->items())
      table += fmt::format("  {}: {:.0f}", printable(code, kNameBytes), number_at(*calls, code.c_str()));
  if (const auto left = upstream.find("manifests_left"); left != upstream.end() && left->is_number())
    table += fmt::format("  manifests left: {:.0f}", left->get<double>());
  if (const double waiting = number_at(upstream, "blobs_waiting"); waiting > 0)
    table += fmt::format("  blobs waiting: {:.0f}", waiting);
  table.push_back('\n');
  if (const auto error = text_at(upstream, "last_error", kErrorBytes); !error.empty())
    table += fmt::format("  {:<20} last error at {}: {}\n", "", text_at(upstream, "last_error_at", kNameBytes), error);
}

void add_feed(std::string& table, const ordered_json& feed) {
  const auto state = text_at(feed, "state", kNameBytes);
  table += "feed       " + state;
  if (state != "off" && state != "no-feed") {
    table += fmt::format(", position {:.0f} of {:.0f}", number_at(feed, "position"), number_at(feed, "newest"));
    if (feed.contains("age_seconds")) table += fmt::format(", {:.0f} s old", number_at(feed, "age_seconds"));
    const auto complete = feed.find("complete");
    if (complete != feed.end() && *complete == false) table += ", catching up";
  }
  table.push_back('\n');
  if (const auto trouble = text_at(feed, "trouble", kErrorBytes); !trouble.empty()) table += "  " + trouble + "\n";
}

}  // namespace

Result<std::string> status_table(std::string_view json) {
  const auto status = ordered_json::parse(json, nullptr, false);
  const auto& cache = part_at(status, "cache");
  const auto& fills = part_at(status, "fills");
  const auto& upstreams = part_at(status, "upstreams");
  if (!cache.is_object() || !fills.is_object() || !upstreams.is_array())
    return Error(ErrorKind::kInvalid, "this is not the status of a node");
  std::string table = "cache      " + human_bytes(number_at(cache, "bytes"));
  if (const double most = number_at(cache, "max_bytes"); most > 0)
    table += fmt::format(" of {} {}", human_bytes(most), bar(number_at(cache, "bytes") / most, kTableBarWidth));
  table += fmt::format(", {:.0f} blobs, {:.0f} manifests\n", number_at(cache, "blobs"), number_at(cache, "manifests"));
  const double count = number_at(fills, "count");
  table += fmt::format("fills      {:.0f}\n", count);
  double listed = 0;
  for (const auto* fill : objects_in(part_at(fills, "listed"))) {
    add_fill(table, *fill);
    ++listed;
  }
  if (listed < count) table += fmt::format("  and {:.0f} more\n", count - listed);
  if (const double shared = number_at(part_at(status, "swarms"), "count"); shared > 0)
    table += fmt::format("swarms     {:.0f}\n", shared);
  if (const auto& feed = part_at(status, "feed"); feed.is_object()) add_feed(table, feed);
  table += "upstreams\n";
  for (const auto* upstream : objects_in(upstreams)) add_upstream(table, *upstream);
  return table;
}

}  // namespace wherry::node
