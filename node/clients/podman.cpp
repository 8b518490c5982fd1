#include "node/clients/podman.h"

#include <algorithm>
#include <sstream>

#include "node/clients/toml_text.h"

namespace wherry::node {
namespace {

constexpr std::string_view kRegistryLine = "\n# registry ";

std::string line_of(std::string_view name) { return std::string(kRegistryLine) + std::string(name) + "\n"; }

/// Every key of a table but some, a line each.
void append_keys(std::string& text, const toml::table& table, std::string_view indent,
                 std::initializer_list<std::string_view> without) {
  for (const auto& [key, value] : table) {
    if (std::find(without.begin(), without.end(), key.str()) != without.end()) continue;
    std::ostringstream line;
    line << indent << toml_string(key.str()) << " = ";
    value.visit([&](const auto& node) { line << node; });
    text += line.str() + "\n";
  }
}

/// The lists of the form before `[[registry]]`, which the library still reads.
bool is_in_old_list(const toml::table& root, const char* list, const std::string& registry) {
  const toml::array* names = root["registries"][list]["registries"].as_array();
  return names != nullptr && std::any_of(names->begin(), names->end(),
                                         [&](const toml::node& name) { return name.value<std::string>() == registry; });
}

Result<toml::table> parse(const RegistriesFile& file) {
  auto root = parse_toml(file.text);
  if (!root) return Error(ErrorKind::kInvalid, "{}: {}", file.path, root.error().message());
  return root;
}

/// A file's own entry for a registry; an entry is known by its prefix, or without one by its location.
std::optional<toml::table> entry_of(const toml::table& root, const std::string& registry) {
  if (const toml::array* entries = root["registry"].as_array())
    for (const toml::node& node : *entries) {
      const toml::table* entry = node.as_table();
      if (entry == nullptr) continue;
      const auto prefix = (*entry)["prefix"].value_or<std::string>("");
      if ((prefix.empty() ? (*entry)["location"].value_or<std::string>("") : prefix) == registry) return *entry;
    }
  toml::table old;
  if (is_in_old_list(root, "insecure", registry)) old.insert("insecure", true);
  if (is_in_old_list(root, "block", registry)) old.insert("blocked", true);
  if (old.empty()) return std::nullopt;
  old.insert("location", registry);
  return old;
}

void append_mirror(std::string& text, const NodePlace& node, const Mirror& mirror) {
  const std::string location = node.host + (mirror.path.empty() ? "" : "/" + mirror.path);
  text += "[[registry.mirror]]\n  location = " + toml_string(location) + "\n";
  if (node.is_plain) text += "  insecure = true\n";
}

bool names_mirror(const toml::table& entry, const NodePlace& node, const Mirror& mirror) {
  const std::string location = node.host + (mirror.path.empty() ? "" : "/" + mirror.path);
  const toml::array* mirrors = entry["mirror"].as_array();
  return mirrors != nullptr && std::any_of(mirrors->begin(), mirrors->end(), [&](const toml::node& one) {
           const auto* table = one.as_table();
           return table != nullptr && (*table)["location"].value<std::string>() == location;
         });
}

}  // namespace

Result<std::string> make_registries_conf(const std::vector<RegistriesFile>& users, const NodePlace& node,
                                         const std::vector<Mirror>& mirrors) {
  std::vector<toml::table> roots;
  for (const RegistriesFile& file : users) {
    auto root = parse(file);
    if (!root) return root.error();
    roots.push_back(std::move(*root));
  }
  std::string text(kOwnFile);
  for (const Mirror& mirror : mirrors) {
    std::optional<toml::table> users_entry;
    for (const toml::table& root : roots)
      if (auto entry = entry_of(root, mirror.registry)) users_entry = std::move(entry);
    text += line_of(mirror.registry) + "[[registry]]\nprefix = " + toml_string(mirror.registry) + "\n";
    if (!users_entry) {
      text += "location = " + toml_string(mirror.origin_location()) + "\n";
      if (mirror.is_origin_plain()) text += "insecure = true\n";
      append_mirror(text, node, mirror);
      continue;
    }
    append_keys(text, *users_entry, "", {"prefix", "mirror"});
    if (!names_mirror(*users_entry, node, mirror)) append_mirror(text, node, mirror);
    if (const toml::array* theirs = (*users_entry)["mirror"].as_array())
      for (const toml::node& one : *theirs)
        if (const auto* table = one.as_table()) {
          text += "[[registry.mirror]]\n";
          append_keys(text, *table, "  ", {});
        }
  }
  return text;
}

std::optional<std::string> remove_from_registries_conf(const std::string& old,
                                                       const std::vector<std::string>& registries) {
  std::string text = old;
  for (const std::string& registry : registries) {
    const auto begin = text.find(line_of(registry));
    if (begin == text.npos) continue;
    const auto end = text.find(kRegistryLine, begin + 1);
    text.erase(begin, end == text.npos ? text.npos : end - begin);
  }
  if (text.find(kRegistryLine) == text.npos) return std::nullopt;
  return text;
}

Result<bool> has_registry(const RegistriesFile& file, const std::string& registry) {
  auto root = parse(file);
  if (!root) return root.error();
  return entry_of(*root, registry).has_value();
}

}  // namespace wherry::node
