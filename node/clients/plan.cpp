#include "node/clients/plan.h"

#include <algorithm>

#include "node/clients/containerd.h"
#include "node/clients/docker.h"
#include "node/clients/podman.h"

namespace wherry::node {
namespace {

const std::string kContainerdConfig = "/etc/containerd/config.toml";
const std::string kContainerdHosts = "/etc/containerd/certs.d";
const std::string kDockerConfig = "/etc/docker/daemon.json";
const std::string kDockerCertificates = "/etc/docker/certs.d";
const std::string kRegistriesConfig = "/etc/containers/registries.conf";
const std::string kRegistriesFolder = "/etc/containers/registries.conf.d";
/// The last file that has an entry for a registry wins.
const std::string kRegistriesName = "zz-wherry.conf";
const std::string kRegistriesCertificates = "/etc/containers/certs.d";
const std::string kHostsName = "hosts.toml";
const std::string kCaName = "wherry.crt";

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Error named(const ClientFiles& files, const std::string& path, const Error& error) {
  return Error(error.kind(), "{}: {}", files.real(path), error.message());
}

/// The node's CA goes where clients look for what they trust of a host; what is elsewhere of ours goes.
Result<void> plan_ca(const ClientFiles& files, const std::string& path, const std::vector<std::string>& others,
                     const std::string& ca, ClientPlan& plan) {
  std::vector<std::string> paths = others;
  if (!contains(paths, path) && !path.empty()) paths.push_back(path);
  for (const std::string& one : paths) {
    auto old = files.read(one);
    if (!old) return old.error();
    FileEdit edit{one, *old, std::nullopt, FirstCopy::kNone, true};
    if (one == path && !ca.empty()) {
      if (*old && !is_own_file(**old))
        return Error(ErrorKind::kInvalid, "{}: is not of wherry-node; move it away", files.real(one));
      edit.text = std::string(kOwnFile) + ca;
    } else if (!*old || !is_own_file(**old)) {
      continue;
    }
    plan.edits.push_back(std::move(edit));
  }
  return {};
}

/// The same for clients that have a folder a host.
Result<void> plan_ca_of_host(const ClientFiles& files, const std::string& folder, const ClientWish& wish, bool stays,
                             ClientPlan& plan) {
  std::vector<std::string> others;
  for (const std::string& host : files.names_in(folder)) others.push_back(folder + "/" + host + "/" + kCaName);
  const std::string path = stays ? folder + "/" + wish.node->host + "/" + kCaName : "";
  return plan_ca(files, path, others, stays ? wish.ca : "", plan);
}

// containerd

/// The folder of a registry: containerd takes the form without a colon where it is there.
std::string hosts_folder(const ClientFiles& files, const std::string& registry) {
  const auto colon = registry.find(':');
  if (colon == registry.npos) return kContainerdHosts + "/" + registry;
  const auto plain = kContainerdHosts + "/" + registry.substr(0, colon) + "_" + registry.substr(colon + 1) + "_";
  return files.exists(plain) ? plain : kContainerdHosts + "/" + registry;
}

Result<ContainerdFolder> look_around(const ClientFiles& files, const std::string& folder) {
  ContainerdFolder around;
  const auto names = files.names_in(folder);
  for (const std::string& name : names) {
    if (name.ends_with(".crt")) around.ca.push_back(name);
    if (!name.ends_with(".cert")) continue;
    const std::string key = name.substr(0, name.size() - std::string_view("cert").size()) + "key";
    around.client.emplace_back(name, contains(names, key) ? key : "");
  }
  const bool is_empty = std::all_of(names.begin(), names.end(), [](const auto& name) { return name == kHostsName; });
  if (!is_empty) return around;
  auto fallback = files.read(kContainerdHosts + "/_default/" + kHostsName);
  if (!fallback) return fallback.error();
  around.fallback = std::move(*fallback);
  return around;
}

/// Takes what is ours out of the folders that a test wants gone.
Result<void> plan_remove_hosts(const ClientFiles& files, const auto& goes, ClientPlan& plan) {
  for (const std::string& name : files.names_in(kContainerdHosts)) {
    const std::string folder = kContainerdHosts + "/" + name;
    const std::string path = folder + "/" + kHostsName;
    if (!goes(folder)) continue;
    auto old = files.read(path);
    if (!old) return old.error();
    if (!*old || !is_hosts_toml_ours(**old)) continue;
    auto text = remove_from_hosts_toml(**old);
    if (!text) return named(files, path, text.error());
    plan.edits.push_back({path, *old, *text, FirstCopy::kEnd, true});
  }
  return {};
}

Result<ClientPlan> configure_containerd(const ClientFiles& files, const ClientWish& wish) {
  ClientPlan plan;
  const std::string ca_path = kContainerdHosts + "/" + kCaName;
  if (auto planned = plan_ca(files, ca_path, {}, wish.ca, plan); !planned) return planned.error();
  std::vector<std::string> folders;
  for (const Mirror& mirror : wish.mirrors) {
    const std::string folder = hosts_folder(files, mirror.registry);
    const std::string path = folder + "/" + kHostsName;
    folders.push_back(folder);
    auto old = files.read(path);
    if (!old) return old.error();
    auto around = look_around(files, folder);
    if (!around) return around.error();
    auto text = add_to_hosts_toml(*old, *wish.node, mirror, wish.ca.empty() ? "" : ca_path, *around);
    if (!text) return named(files, path, text.error());
    const bool is_users = *old && !is_own_file(**old);
    plan.edits.push_back({path, *old, *text, is_users ? FirstCopy::kMake : FirstCopy::kNone, true});
  }
  auto removed = plan_remove_hosts(files, [&](const std::string& folder) { return !contains(folders, folder); }, plan);
  if (!removed) return removed.error();
  plan.notes.push_back("containerd reads this at every pull: no restart");
  auto config = files.read(kContainerdConfig);
  if (!config) return config.error();
  if (!*config || !reads_hosts_toml(**config))
    plan.notes.push_back(files.real(kContainerdConfig) +
                         ": names no config_path = \"/etc/containerd/certs.d\" for the registry of its CRI plugin. "
                         "Before containerd 2.2 Kubernetes reads none of this without it; setting it takes a restart");
  return plan;
}

Result<ClientPlan> remove_containerd(const ClientFiles& files, const ClientWish& wish) {
  ClientPlan plan;
  std::vector<std::string> folders;
  for (const std::string& registry : wish.forget) folders.push_back(hosts_folder(files, registry));
  const auto goes = [&](const std::string& folder) { return wish.forget.empty() || contains(folders, folder); };
  if (auto removed = plan_remove_hosts(files, goes, plan); !removed) return removed.error();
  if (wish.forget.empty())
    if (auto planned = plan_ca(files, kContainerdHosts + "/" + kCaName, {}, "", plan); !planned) return planned.error();
  plan.notes.push_back("containerd reads this at every pull: no restart");
  return plan;
}

// docker

Result<ClientPlan> plan_docker(const ClientFiles& files, const ClientWish& wish, bool stays) {
  ClientPlan plan;
  auto old = files.read(kDockerConfig);
  if (!old) return old.error();
  if (stays) {
    auto text = add_to_daemon_json(*old, *wish.node);
    if (!text) return named(files, kDockerConfig, text.error());
    plan.edits.push_back({kDockerConfig, *old, *text, FirstCopy::kMake, false});
  } else if (*old) {
    auto first = files.read(kDockerConfig + ClientFiles::kCopySuffix);
    if (!first) return first.error();
    auto text = remove_from_daemon_json(**old, *wish.node, *first);
    if (!text) return named(files, kDockerConfig, text.error());
    plan.edits.push_back({kDockerConfig, *old, *text, FirstCopy::kEnd, false});
  }
  if (auto planned = plan_ca_of_host(files, kDockerCertificates, wish, stays, plan); !planned) return planned.error();
  plan.notes.push_back("docker reads daemon.json when told to: systemctl reload docker, or restart it");
  return plan;
}

// podman, CRI-O, skopeo, buildah

std::string note_of_registries(ClientKind kind) {
  return kind == ClientKind::kCrio
             ? "CRI-O reads this when told to: systemctl reload crio; podman, skopeo and buildah read it too"
             : "podman, skopeo and buildah read this at every pull: no restart; so does CRI-O once it is reloaded";
}

Result<std::optional<std::string>> read_own_registries(const ClientFiles& files) {
  const std::string path = kRegistriesFolder + "/" + kRegistriesName;
  auto old = files.read(path);
  if (old && *old && !is_own_file(**old))
    return Error(ErrorKind::kInvalid, "{}: is not of wherry-node; move it away", files.real(path));
  return old;
}

Result<ClientPlan> configure_podman(const ClientFiles& files, const ClientWish& wish) {
  ClientPlan plan;
  auto old = read_own_registries(files);
  if (!old) return old.error();
  std::vector<RegistriesFile> users;
  std::vector<std::string> paths = {kRegistriesConfig};
  for (const std::string& name : files.names_in(kRegistriesFolder))
    if (name.ends_with(".conf") && name != kRegistriesName) paths.push_back(kRegistriesFolder + "/" + name);
  for (const std::string& path : paths) {
    auto text = files.read(path);
    if (!text) return text.error();
    if (!*text) continue;
    users.push_back({files.real(path), std::move(**text)});
    if (path < kRegistriesFolder + "/" + kRegistriesName) continue;
    for (const Mirror& mirror : wish.mirrors) {
      auto has = has_registry(users.back(), mirror.registry);
      if (!has) return has.error();
      if (*has) plan.notes.push_back(users.back().path + ": comes last and has its own word on " + mirror.registry);
    }
  }
  auto text = make_registries_conf(users, *wish.node, wish.mirrors);
  if (!text) return text.error();
  plan.edits.push_back({kRegistriesFolder + "/" + kRegistriesName, *old, *text, FirstCopy::kNone, false});
  auto planned = plan_ca_of_host(files, kRegistriesCertificates, wish, true, plan);
  if (!planned) return planned.error();
  plan.notes.push_back(note_of_registries(wish.kind));
  return plan;
}

Result<ClientPlan> remove_podman(const ClientFiles& files, const ClientWish& wish) {
  ClientPlan plan;
  auto old = read_own_registries(files);
  if (!old) return old.error();
  std::optional<std::string> left;
  if (*old && !wish.forget.empty()) left = remove_from_registries_conf(**old, wish.forget);
  if (*old) plan.edits.push_back({kRegistriesFolder + "/" + kRegistriesName, *old, left, FirstCopy::kNone, false});
  if (!left)
    if (auto planned = plan_ca_of_host(files, kRegistriesCertificates, wish, false, plan); !planned)
      return planned.error();
  plan.notes.push_back(note_of_registries(wish.kind));
  return plan;
}

}  // namespace

Result<ClientPlan> plan_configure(const ClientFiles& files, const ClientWish& wish) {
  switch (wish.kind) {
    case ClientKind::kContainerd: return configure_containerd(files, wish);
    case ClientKind::kDocker: return plan_docker(files, wish, true);
    case ClientKind::kPodman:
    case ClientKind::kCrio: return configure_podman(files, wish);
  }
  return Error(ErrorKind::kInternal, "no such kind of client");
}

Result<ClientPlan> plan_remove(const ClientFiles& files, const ClientWish& wish) {
  switch (wish.kind) {
    case ClientKind::kContainerd: return remove_containerd(files, wish);
    case ClientKind::kDocker: return plan_docker(files, wish, false);
    case ClientKind::kPodman:
    case ClientKind::kCrio: return remove_podman(files, wish);
  }
  return Error(ErrorKind::kInternal, "no such kind of client");
}

}  // namespace wherry::node
