#include "node/cli/status_table.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "common/config/text.h"
#include "common/oci/excerpt.h"

namespace wherry::node {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kNameBytes = 40;
constexpr std::size_t kErrorBytes = 160;
constexpr std::size_t kShortDigestBytes = 19;  // "sha256:" and twelve digits
constexpr std::size_t kTableBarWidth = 22;

std::string text_of(const ordered_json& object, const char* key, std::size_t most) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>(), most) : std::string();
}

double number_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

void add_fill(std::string& table, const ordered_json& fill) {
  const double done = number_of(fill, "done_bytes");
  const double total = number_of(fill, "total_bytes");
  const double share = total > 0 ? done / total : 0;
  table += fmt::format("  {}  {} {:3.0f}%  {} of {}  {}/s  {}\n", text_of(fill, "digest", kShortDigestBytes),
                       bar(share, kTableBarWidth), share * 100, human_bytes(done), total > 0 ? human_bytes(total) : "?",
                       human_bytes(number_of(fill, "bytes_per_second")), text_of(fill, "repository", kNameBytes));
}

void add_upstream(std::string& table, const ordered_json& upstream) {
  table += fmt::format("  {:<20} {}  {}", text_of(upstream, "name", kNameBytes), text_of(upstream, "url", kErrorBytes),
                       text_of(upstream, "state", kNameBytes));
  if (const auto since = text_of(upstream, "since", kNameBytes); !since.empty()) table += " since " + since;
  if (const auto calls = upstream.find("calls"); calls != upstream.end() && calls->is_object())
    for (const auto& [code, count] : calls->items())
      table += fmt::format("  {}: {:.0f}", printable(code, kNameBytes), number_of(*calls, code.c_str()));
  if (const auto left = upstream.find("manifests_left"); left != upstream.end() && left->is_number())
    table += fmt::format("  manifests left: {:.0f}", left->get<double>());
  if (const double waiting = number_of(upstream, "blobs_waiting"); waiting > 0)
    table += fmt::format("  blobs waiting: {:.0f}", waiting);
  table.push_back('\n');
  if (const auto error = text_of(upstream, "last_error", kErrorBytes); !error.empty())
    table += fmt::format("  {:<20} last error at {}: {}\n", "", text_of(upstream, "last_error_at", kNameBytes), error);
}

void add_feed(std::string& table, const ordered_json& feed) {
  const auto state = text_of(feed, "state", kNameBytes);
  table += "feed       " + state;
  if (state != "off" && state != "no-feed") {
    table += fmt::format(", position {:.0f} of {:.0f}", number_of(feed, "position"), number_of(feed, "newest"));
    if (feed.contains("age_seconds")) table += fmt::format(", {:.0f} s old", number_of(feed, "age_seconds"));
    const auto complete = feed.find("complete");
    if (complete != feed.end() && *complete == false) table += ", catching up";
  }
  table.push_back('\n');
  if (const auto trouble = text_of(feed, "trouble", kErrorBytes); !trouble.empty()) table += "  " + trouble + "\n";
}

}  // namespace

Result<std::string> status_table(std::string_view json) {
  const auto status = ordered_json::parse(json, nullptr, false);
  const auto part = [&](const char* name) {
    return status.is_object() ? status.value(name, ordered_json()) : ordered_json();
  };
  const auto cache = part("cache");
  const auto fills = part("fills");
  const auto upstreams = part("upstreams");
  if (!cache.is_object() || !fills.is_object() || !upstreams.is_array())
    return Error(ErrorKind::kInvalid, "this is not the status of a node");
  std::string table = "cache      " + human_bytes(number_of(cache, "bytes"));
  if (const double most = number_of(cache, "max_bytes"); most > 0)
    table += fmt::format(" of {} {}", human_bytes(most), bar(number_of(cache, "bytes") / most, kTableBarWidth));
  table += fmt::format(", {:.0f} blobs, {:.0f} manifests\n", number_of(cache, "blobs"), number_of(cache, "manifests"));
  const double count = number_of(fills, "count");
  table += fmt::format("fills      {:.0f}\n", count);
  double listed = 0;
  for (const auto& fill : fills.value("listed", ordered_json::array())) {
    if (!fill.is_object()) continue;
    add_fill(table, fill);
    ++listed;
  }
  if (listed < count) table += fmt::format("  and {:.0f} more\n", count - listed);
  if (const auto feed = part("feed"); feed.is_object()) add_feed(table, feed);
  table += "upstreams\n";
  for (const auto& upstream : upstreams)
    if (upstream.is_object()) add_upstream(table, upstream);
  return table;
}

}  // namespace wherry::node
