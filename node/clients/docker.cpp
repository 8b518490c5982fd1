#include "node/clients/docker.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace wherry::node {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMirrors = "registry-mirrors";
constexpr const char* kInsecure = "insecure-registries";
constexpr int kIndent = 2;
/// Values within values; copying and writing them takes stack for each.
constexpr int kMaxDepth = 64;

Result<Json> parse_json(const std::string& text) {
  // dockerd takes a file without content as one without settings.
  if (text.find_first_not_of(" \t\r\n") == text.npos) return Json::object();
  Json json;
  bool is_too_deep = false;
  try {
    json = Json::parse(text, [&](int depth, Json::parse_event_t, Json&) {
      is_too_deep = is_too_deep || depth > kMaxDepth;
      return !is_too_deep;
    });
  } catch (const Json::exception& error) {
    return Error(ErrorKind::kInvalid, "{}", error.what());
  }
  if (is_too_deep) return Error(ErrorKind::kInvalid, "its values are nested too deeply");
  if (!json.is_object()) return Error(ErrorKind::kInvalid, "it is no JSON object");
  for (const char* key : {kMirrors, kInsecure}) {
    const auto list = json.find(key);
    if (list == json.end()) continue;
    const auto is_text = [](const Json& item) { return item.is_string(); };
    if (!list->is_array() || !std::all_of(list->begin(), list->end(), is_text))
      return Error(ErrorKind::kInvalid, "{} is not a list of texts", key);
  }
  return json;
}

/// As `like` is written: its indentation, and whether its last line ends.
std::string write_json(const Json& json, const std::string& like) {
  const auto text_begin = like.find_first_not_of(" \t\r\n");
  if (text_begin == like.npos) return json.dump(kIndent) + "\n";
  const auto line = like.find('\n', text_begin);
  const std::string end = like.ends_with('\n') ? "\n" : "";
  if (line == like.npos || line + 1 >= like.size()) return json.dump() + end;
  const auto key = like.find_first_not_of(" \t", line + 1);
  const auto width = key == like.npos ? 0 : key - line - 1;
  if (width == 0) return json.dump(kIndent) + end;
  return json.dump(static_cast<int>(width), like[line + 1]) + end;
}

/// What mirrors are compared by: dockerd adds the slash itself.
std::string without_slash(const std::string& url) { return url.ends_with('/') ? url.substr(0, url.size() - 1) : url; }

bool has(const Json& json, const char* key, const std::string& entry) {
  const auto list = json.find(key);
  return list != json.end() && std::any_of(list->begin(), list->end(), [&](const Json& item) {
           return without_slash(item.get<std::string>()) == entry;
         });
}

void drop(Json& json, const char* key, const std::string& entry) {
  const auto list = json.find(key);
  if (list == json.end()) return;
  for (auto item = list->begin(); item != list->end();)
    item = without_slash(item->get<std::string>()) == entry ? list->erase(item) : item + 1;
}

/// Lists without entries say nothing.
void drop_empty(Json& json) {
  for (const char* key : {kMirrors, kInsecure})
    if (const auto list = json.find(key); list != json.end() && list->empty()) json.erase(key);
}

}  // namespace

Result<std::string> add_to_daemon_json(const std::optional<std::string>& old, const NodePlace& node) {
  auto json = parse_json(old.value_or(""));
  if (!json) return json.error();
  const bool names_host = node.is_plain && !node.is_loopback;
  if (has(*json, kMirrors, node.url) && (!names_host || has(*json, kInsecure, node.host))) return *old;
  if (!has(*json, kMirrors, node.url)) {
    Json& list = (*json)[kMirrors];
    if (list.is_null()) list = Json::array();
    list.insert(list.begin(), node.url);
  }
  if (names_host && !has(*json, kInsecure, node.host)) (*json)[kInsecure].push_back(node.host);
  return write_json(*json, old.value_or(""));
}

Result<std::optional<std::string>> remove_from_daemon_json(const std::string& old, const NodePlace& node,
                                                           const std::optional<std::string>& first) {
  auto json = parse_json(old);
  if (!json) return json.error();
  Json before = Json::object();
  if (first)
    if (auto parsed = parse_json(*first)) before = std::move(*parsed);
  const Json now = *json;
  if (!has(before, kMirrors, node.url)) drop(*json, kMirrors, node.url);
  if (!has(before, kInsecure, node.host)) drop(*json, kInsecure, node.host);
  if (*json == now) return std::optional(old);
  drop_empty(*json);
  drop_empty(before);
  if (first && *json == before) return first;
  if (!first && json->empty()) return std::optional<std::string>();
  return std::optional(write_json(*json, old));
}

}  // namespace wherry::node
