#include "node/clients/command.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>

#include "common/daemon/daemon.h"
#include "common/daemon/tls_options.h"
#include "common/http/place.h"
#include "node/clients/plan.h"
#include "node/upstream/options.h"

namespace wherry::node {
namespace {

struct Flags {
  std::string kind;
  std::string config;
  std::string node;
  std::string root_dir = "/";
  std::string ca;
  std::vector<std::string> upstreams;
  bool remove = false;
  bool dry_run = false;
};

/// What the node's configuration says that matters to clients.
struct NodeFacts {
  std::string url;  ///< of the node itself; empty when the file does not say
  std::string root;
  std::vector<Mirror> mirrors;
};

Mirror mirror_of(const UpstreamOptions& upstream) { return {upstream.name, prefix_of(upstream.name), upstream.url}; }

Result<NodeFacts> read_facts(const std::string& path) {
  NodeFacts facts;
  auto file = ConfigSection::load(path);
  if (!file) return file.error();
  std::string listen;
  if (auto read = file->read("listen", listen); !read) return read.error();
  if (!listen.empty()) {
    const auto address = SocketAddress::parse(listen);
    if (!address) return Error(ErrorKind::kInvalid, "{}: listen: {}", path, address.error().message());
    auto url = url_from_here(*address, *file, "tls");
    if (!url) return url.error();
    facts.url = std::move(*url);
  }
  auto registries = read_registries(*file);
  if (!registries) return registries.error();
  facts.root = registries->root;
  for (const UpstreamOptions& upstream : registries->upstreams) facts.mirrors.push_back(mirror_of(upstream));
  // The parent's repositories are at the root, and nowhere when that is another's; clients know it by `parent.names`.
  const std::string& url = registries->parent.url;
  const auto place = http::Place::of(url);
  for (const std::string& name : registries->parent.aliases) {
    auto named = upstream_of_name(name);
    if (!named) return named.error();
    facts.mirrors.push_back({name, "", place && place->name() == name ? url : named->url});
  }
  return facts;
}

class ConfigureClient {
 public:
  explicit ConfigureClient(const Flags& flags) : flags_(flags), files_(flags.root_dir) {}

  int run() {
    if (auto wish = make_wish(); !wish)
      return fail(wish, wish.error().kind() == ErrorKind::kIo ? kExitIo : wrong_wish_);
    auto plan = flags_.remove ? plan_remove(files_, wish_) : plan_configure(files_, wish_);
    if (!plan) return fail(plan, plan.error().kind() == ErrorKind::kIo ? kExitIo : kExitConfig);
    if (!flags_.dry_run)
      if (auto applied = files_.apply(plan->edits); !applied) return fail(applied, kExitIo);
    tell(*plan);
    return kExitOk;
  }

 private:
  template <class T>
  static int fail(const Result<T>& result, int code) {
    std::fprintf(stderr, "wherry-node: %s\n", result.error().message().c_str());
    return code;
  }

  /// Errors: kInvalid, with its exit code in `wrong_wish_`; kIo.
  Result<void> make_wish() {
    // Folders below it are made; it is not, so that a misspelt one is told.
    if (std::error_code failed; !std::filesystem::is_directory(flags_.root_dir, failed))
      return Error(ErrorKind::kInvalid, "--root-dir: {} is no folder", flags_.root_dir);
    wish_.kind = flags_.kind == "containerd" ? ClientKind::kContainerd
                 : flags_.kind == "docker"   ? ClientKind::kDocker
                 : flags_.kind == "podman"   ? ClientKind::kPodman
                                             : ClientKind::kCrio;
    NodeFacts facts;
    if (!flags_.config.empty()) {
      wrong_wish_ = kExitConfig;
      auto read = read_facts(flags_.config);
      if (!read) return read.error();
      facts = std::move(*read);
      wrong_wish_ = kExitUsage;
    }
    if (auto placed = place_node(facts); !placed) return placed;
    wish_.forget = flags_.upstreams;
    if (flags_.remove) return {};
    if (auto chosen = choose_mirrors(facts); !chosen) return chosen;
    return read_ca();
  }

  Result<void> place_node(const NodeFacts& facts) {
    const std::string& url = flags_.node.empty() ? facts.url : flags_.node;
    if (url.empty() && flags_.remove && wish_.kind != ClientKind::kDocker) return {};
    if (url.empty())
      return Error(ErrorKind::kInvalid, "--node: name the URL of the node, or its configuration with --config");
    auto node = NodePlace::parse(url);
    if (!node) return Error(ErrorKind::kInvalid, "--node: {}", node.error().message());
    wish_.node = std::move(*node);
    return {};
  }

  Result<void> choose_mirrors(const NodeFacts& facts) {
    if (flags_.config.empty()) {
      for (const std::string& name : flags_.upstreams) {
        auto upstream = upstream_of_name(name);
        if (!upstream) return Error(ErrorKind::kInvalid, "--upstream: {}", upstream.error().message());
        wish_.mirrors.push_back(mirror_of(*upstream));
      }
      if (wish_.mirrors.empty())
        return Error(ErrorKind::kInvalid, "--config: name the node's configuration, or registries with --upstream");
    }
    for (const std::string& name : flags_.upstreams)
      if (!flags_.config.empty() && std::none_of(facts.mirrors.begin(), facts.mirrors.end(),
                                                 [&](const Mirror& one) { return one.registry == name; }))
        return Error(ErrorKind::kInvalid, "--upstream: {} has no upstream {}", flags_.config, name);
    const auto wanted = [&](const std::string& name) {
      const auto& names = flags_.upstreams;
      return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
    };
    for (const Mirror& mirror : facts.mirrors)
      if (wanted(mirror.registry)) wish_.mirrors.push_back(mirror);
    wrong_wish_ = flags_.config.empty() ? kExitUsage : kExitConfig;
    return wish_.kind == ClientKind::kDocker ? check_docker(facts) : check_paths(facts);
  }

  /// docker asks mirrors for Docker Hub's names alone, at the root.
  Result<void> check_docker(const NodeFacts& facts) const {
    const bool has_hub = std::any_of(wish_.mirrors.begin(), wish_.mirrors.end(),
                                     [](const Mirror& mirror) { return mirror.registry == "docker.io"; });
    if (!has_hub)
      return Error(ErrorKind::kInvalid, "docker uses mirrors for docker.io alone, which is no upstream here");
    if (!flags_.config.empty() && facts.root != "docker.io")
      return Error(ErrorKind::kInvalid,
                   "docker asks a mirror for names without a registry before them, and at this node they do not mean "
                   "docker.io; write 'root: docker.io' into {}, and restart the node",
                   flags_.config);
    return {};
  }

  /// What only an unprefixed name would reach is nothing for podman when those mean another registry.
  Result<void> check_paths(const NodeFacts& facts) {
    if (wish_.kind != ClientKind::kContainerd && !facts.root.empty())
      std::erase_if(wish_.mirrors, [](const Mirror& mirror) { return mirror.path.empty(); });
    if (wish_.mirrors.empty())
      return Error(ErrorKind::kInvalid, "{}: upstreams: there are none, so there is nothing to tell a client",
                   flags_.config);
    return {};
  }

  Result<void> read_ca() {
    if (flags_.ca.empty()) return {};
    wrong_wish_ = kExitUsage;
    if (wish_.node->is_plain) return Error(ErrorKind::kInvalid, "--ca: {} is not an https URL", wish_.node->url);
    auto text = ClientFiles("/").read(std::filesystem::absolute(flags_.ca).string());
    if (!text) return text.error();
    if (!*text || (*text)->find("-----BEGIN CERTIFICATE-----") == std::string::npos)
      return Error(ErrorKind::kInvalid, "--ca: {} holds no certificate in PEM form", flags_.ca);
    wish_.ca = std::move(**text);
    return {};
  }

  void tell(const ClientPlan& plan) const {
    bool changes = false;
    for (const FileEdit& edit : plan.edits) {
      const std::string path = files_.real(edit.path);
      changes = changes || edit.changes();
      if (!edit.changes()) {
        std::printf("unchanged %s\n", path.c_str());
      } else if (!flags_.dry_run) {
        std::printf("%s %s\n", edit.text ? "wrote" : "removed", path.c_str());
      } else if (edit.text) {
        std::printf("would write %s:\n%s", path.c_str(), edit.text->c_str());
        if (!edit.text->ends_with('\n')) std::printf("\n");
      } else {
        std::printf("would remove %s\n", path.c_str());
      }
    }
    if (plan.edits.empty()) std::printf("nothing of wherry-node is there\n");
    if (changes || !flags_.remove)
      for (const std::string& note : plan.notes) std::printf("%s\n", note.c_str());
  }

  const Flags& flags_;
  ClientFiles files_;
  ClientWish wish_;
  int wrong_wish_ = kExitUsage;  // what ends the process when a wish is wrong: a flag, or the configuration
};

}  // namespace

void add_configure_client(Command& program) {
  auto flags = std::make_shared<Flags>();
  Command command = program.command("configure-client", "teach the clients of this machine to pull through a node",
                                    [flags] { return ConfigureClient(*flags).run(); });
  command.option("kind", flags->kind, "containerd, docker, podman or crio")
      .required()
      .one_of({"containerd", "docker", "podman", "crio"});
  command.option("--config", flags->config, "the node's YAML file: its upstreams, root and listen");
  command.option("--node", flags->node, "URL under which clients reach the node; http://LISTEN when not given");
  command.option("--upstream", flags->upstreams, "these registries alone; without --config, these at all");
  command.option("--root-dir", flags->root_dir, "where the client's files are below: an image's root");
  command.option("--ca", flags->ca, "PEM file of the CA that an https node is known by");
  command.flag("--remove", flags->remove, "take back what earlier runs wrote");
  command.flag("--dry-run", flags->dry_run, "show what would be written, and write nothing");
}

}  // namespace wherry::node
