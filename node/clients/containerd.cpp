#include "node/clients/containerd.h"

#include <algorithm>

#include "node/clients/toml_text.h"

namespace wherry::node {
namespace {

constexpr std::string_view kBegin = "# wherry-node configure-client: begin\n";
/// The same in a file whose last line had no end.
constexpr std::string_view kBeginAfterBreak = "# wherry-node configure-client: begin, and the line break before this\n";
constexpr std::string_view kEnd = "# wherry-node configure-client: end\n";

std::string table_of(const NodePlace& node, const std::string& ca) {
  std::string table = "[host." + toml_string(node.url) + "]\n  capabilities = [\"pull\", \"resolve\"]\n";
  // Without it a machine that is off costs each pull containerd's own 30 s; versions that do not know the key ignore
  // it.
  table += "  dial_timeout = \"2s\"\n";
  if (!ca.empty()) table += "  ca = " + toml_string(ca) + "\n";
  return table;
}

/// Where the text of a line of this kind begins; npos when there is none. A line, not a part of one.
std::size_t find_line(std::string_view text, std::string_view line, std::size_t from = 0) {
  for (auto at = text.find(line, from); at != text.npos; at = text.find(line, at + 1))
    if (at == 0 || text[at - 1] == '\n') return at;
  return text.npos;
}

Result<std::string> without_tables(std::string text) {
  for (;;) {
    auto begin = find_line(text, kBegin);
    if (begin == text.npos) {
      begin = find_line(text, kBeginAfterBreak);
      if (begin != text.npos && begin > 0) --begin;
    }
    const auto end = find_line(text, kEnd);
    if (begin == text.npos && end == text.npos) return text;
    if (begin == text.npos || end == text.npos || end < begin)
      return Error(ErrorKind::kInvalid, "of the two comments around what wherry-node wrote there one is gone");
    text.erase(begin, end + kEnd.size() - begin);
  }
}

/// Where the first table begins, with the comments right above it: the last place for a table to come before all others
/// and after all keys that belong to none.
std::size_t before_tables(std::string_view text, const toml::table& root) {
  auto at = text.size();
  for (const auto& [key, value] : root) {
    const auto begin = start_of_line(text, value.source().begin.line);
    const auto first = text.find_first_not_of(" \t", begin);
    if ((value.is_table() || value.is_array_of_tables()) && first != text.npos && text[first] == '[')
      at = std::min(at, begin);
  }
  if (at == text.size()) return at;
  while (at > 0) {
    const auto above = at < 2 ? 0 : text.rfind('\n', at - 2) + 1;  // npos + 1 is 0
    if (text[text.find_first_not_of(" \t", above)] != '#') break;
    at = above;
  }
  return at;
}

/// Errors: kInvalid when a host of the user's still comes before ours.
Result<void> check_order(std::string_view text, const NodePlace& node) {
  auto root = parse_toml(text);
  if (!root) return root.error();
  const toml::table* hosts = (*root)["host"].as_table();
  const toml::node* ours = hosts != nullptr ? hosts->get(node.url) : nullptr;
  if (ours == nullptr) return Error(ErrorKind::kInvalid, "no table can be put before its hosts");
  for (const auto& [url, host] : *hosts)
    if (host.source().begin.line < ours->source().begin.line)
      return Error(ErrorKind::kInvalid, "no table can be put before its host {}", url.str());
  return {};
}

Result<std::string> add_to_users(std::string text, const NodePlace& node, const std::string& ca) {
  auto root = parse_toml(text);
  if (!root) return root.error();
  // A host that the user wrote himself is as good as ours.
  if (const auto* hosts = (*root)["host"].as_table(); hosts != nullptr && hosts->contains(node.url)) return text;
  const auto at = before_tables(text, *root);
  const bool needs_break = at == text.size() && at > 0 && text.back() != '\n';
  std::string ours(needs_break ? "\n" : "");
  ours += needs_break ? kBeginAfterBreak : kBegin;
  ours += table_of(node, ca);
  ours += kEnd;
  text.insert(at, ours);
  if (auto checked = check_order(text, node); !checked) return checked.error();
  return text;
}

/// Errors: kInvalid for a certificate named by a relative path, which means another file in another folder.
Result<void> check_certificates(const toml::table& table) {
  for (const auto& [key, value] : table) {
    if (key == "host") {
      if (const auto* hosts = value.as_table())
        for (const auto& [url, host] : *hosts)
          if (const auto* one = host.as_table())
            if (auto checked = check_certificates(*one); !checked) return checked;
    }
    if (key != "ca" && key != "client") continue;
    std::vector<const toml::node*> left = {&value};
    while (!left.empty()) {
      const toml::node* next = left.back();
      left.pop_back();
      if (const auto* list = next->as_array())
        for (const auto& item : *list) left.push_back(&item);
      const auto path = next->value<std::string>();
      if (path && !path->starts_with('/'))
        return Error(ErrorKind::kInvalid, "{} is a relative path, so no other folder can take this file over", *path);
    }
  }
  return {};
}

std::string certificates_of(const ContainerdFolder& folder) {
  std::string text;
  const auto list = [&](std::string_view key, const auto& items, const auto& write) {
    if (items.empty()) return;
    text += std::string(key) + " = [";
    for (const auto& item : items) text += (&item == &items.front() ? "" : ", ") + write(item);
    text += "]\n";
  };
  list("ca", folder.ca, [](const std::string& name) { return toml_string(name); });
  list("client", folder.client, [](const auto& pair) {
    return pair.second.empty() ? "[" + toml_string(pair.first) + "]"
                               : "[" + toml_string(pair.first) + ", " + toml_string(pair.second) + "]";
  });
  return text;
}

}  // namespace

Result<std::string> add_to_hosts_toml(const std::optional<std::string>& old, const NodePlace& node,
                                      const Mirror& mirror, const std::string& ca, const ContainerdFolder& folder) {
  if (old && !is_own_file(*old)) {
    auto text = without_tables(*old);
    if (!text) return text.error();
    return add_to_users(std::move(*text), node, ca);
  }
  if (folder.fallback) {
    auto root = parse_toml(*folder.fallback);
    if (!root) return Error(ErrorKind::kInvalid, "_default/hosts.toml: {}", root.error().message());
    auto checked = check_certificates(*root);
    if (!checked) return Error(ErrorKind::kInvalid, "_default/hosts.toml: {}", checked.error().message());
    auto text = add_to_users(*folder.fallback, node, ca);
    if (!text) return Error(ErrorKind::kInvalid, "_default/hosts.toml: {}", text.error().message());
    return std::string(kOwnFile) + "# With all of _default/hosts.toml, which is not read where this file is.\n" + *text;
  }
  const std::string_view origin = mirror.origin;
  return std::string(kOwnFile) + "server = " + toml_string(origin) + "\n" + certificates_of(folder) + "\n" +
         table_of(node, ca);
}

Result<std::optional<std::string>> remove_from_hosts_toml(const std::string& old) {
  if (is_own_file(old)) return std::optional<std::string>();
  auto text = without_tables(old);
  if (!text) return text.error();
  return std::optional(std::move(*text));
}

bool is_hosts_toml_ours(std::string_view text) {
  return is_own_file(text) || find_line(text, kBegin) != text.npos || find_line(text, kBeginAfterBreak) != text.npos;
}

bool reads_hosts_toml(std::string_view containerd_config) {
  auto root = parse_toml(containerd_config);
  if (!root) return false;
  const toml::table* plugins = (*root)["plugins"].as_table();
  if (plugins == nullptr) return false;
  for (const auto& [name, plugin] : *plugins) {
    const auto* settings = plugin.as_table();
    const auto path = settings == nullptr ? std::nullopt : (*settings)["registry"]["config_path"].value<std::string>();
    if (path && path->find("/etc/containerd/certs.d") != path->npos) return true;
  }
  return false;
}

}  // namespace wherry::node
