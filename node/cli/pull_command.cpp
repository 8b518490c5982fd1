#include <unistd.h>

#include <cstdio>
#include <memory>

#include "common/async/run_on_loop.h"
#include "common/async/scope.h"
#include "common/config/config_file.h"
#include "common/daemon/daemon.h"
#include "common/daemon/tls_options.h"
#include "common/http/place.h"
#include "node/cli/commands.h"
#include "node/cli/puller.h"

namespace wherry::node {
namespace {

/// Longer than a node waits for its upstream: it has the better message.
constexpr std::chrono::seconds kSilence{120};

struct PullOptions {
  std::vector<std::string> images;
  std::string node;
  std::string config;
  std::string ca_file;
  std::vector<std::string> platforms;
  bool all_platforms = false;
};

int wrong_use(const Error& error) {
  std::fprintf(stderr, "wherry-node pull: %s\n", error.message().c_str());
  return kExitUsage;
}

/// Where the node is: as said, or where its configuration lets it listen.
Result<std::string> node_url(const PullOptions& options) {
  if (!options.node.empty()) {
    if (!http::is_server_url(options.node))
      return Error(ErrorKind::kInvalid, "--node: '{}' is not a URL such as http://127.0.0.1:5010", options.node);
    std::string url = options.node;
    while (url.ends_with('/')) url.pop_back();
    return url;
  }
  const Error unnamed(ErrorKind::kInvalid, "--node: name the URL of a node that runs, such as http://127.0.0.1:5010");
  if (options.config.empty()) return unnamed;
  auto file = ConfigSection::load(options.config);
  if (!file) return file.error();
  std::string listen;
  if (auto read = file->read("listen", listen); !read) return read.error();
  if (listen.empty()) return unnamed;
  const auto address = SocketAddress::parse(listen);
  if (!address) return Error(ErrorKind::kInvalid, "{}: listen: {}", options.config, address.error().message());
  return url_from_here(*address, *file, "tls");
}

Task<int> pull_all(const std::vector<ImageName>& images, const std::string& url, const PlatformChoice& platforms,
                   const std::string& ca_file) {
  http::ClientOptions with;
  with.silence = kSilence;
  with.ca_file = ca_file;
  http::Client client(Loop::current(), std::move(with));
  Progress progress(::isatty(STDERR_FILENO) == 1);
  Puller puller(client, url, platforms, progress);
  Scope drawing;
  drawing.spawn(progress.redraw());
  bool well = true;
  for (const ImageName& image : images) {
    const bool pulled = co_await puller.pull(image);
    well = well && pulled;
  }
  progress.stop();
  co_await drawing.join();
  co_return well ? 0 : 1;
}

int pull(const PullOptions& options) {
  std::vector<ImageName> images;
  for (const std::string& text : options.images) {
    auto image = ImageName::parse(text);
    if (!image) return wrong_use(image.error());
    images.push_back(std::move(*image));
  }
  const auto url = node_url(options);
  if (!url) return wrong_use(url.error());
  auto platforms = options.all_platforms       ? Result<PlatformChoice>(PlatformChoice::all())
                   : options.platforms.empty() ? Result<PlatformChoice>(PlatformChoice::native())
                                               : PlatformChoice::parse(options.platforms);
  if (!platforms) return wrong_use(Error(ErrorKind::kInvalid, "--platform: {}", platforms.error().message()));
  return run_on_loop([&] { return pull_all(images, *url, *platforms, options.ca_file); });
}

}  // namespace

void add_pull(Command& program) {
  auto options = std::make_shared<PullOptions>();
  Command command =
      program.command("pull", "warm a running node's cache with images", [options] { return pull(*options); });
  command.option("IMAGE", options->images, "docker.io/library/alpine:3.20, or a name of the parent's").required();
  command.option("--node", options->node, "URL of the node, such as http://127.0.0.1:5010");
  command.option("--config", options->config, "the node's YAML file, for its address");
  command.option("--ca-file", options->ca_file, "PEM of who vouches for the node's certificate");
  auto platforms = command.option("--platform", options->platforms, "OS/ARCH[/VARIANT]; this machine's if left out")
                       .one_value_each();  // what follows is an image
  command.flag("--all-platforms", options->all_platforms, "every platform of the images").excludes(platforms);
}

}  // namespace wherry::node
