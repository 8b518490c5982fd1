#include "node/swarm/options.h"

#include "common/net/address.h"

namespace wherry::node {
namespace {

constexpr std::uint64_t kMostConnections = 10'000;

}  // namespace

Result<SwarmOptions> SwarmOptions::read(ConfigSection& file) {
  auto section = file.section("swarm");
  if (!section) return section.error();
  SwarmOptions options;
  auto read = section->read("listen", options.session.listen);
  if (read) read = section->read("site", options.session.site);
  if (read) read = section->read("bridge", options.may_bridge);
  if (read) read = section->read_bytes("min-bytes", options.introducer.min_bytes);
  if (read) read = section->read_bytes("upload-bytes-per-second", options.session.upload_bytes_per_second);
  if (read) read = section->read_bytes("download-bytes-per-second", options.session.download_bytes_per_second);
  std::uint64_t connections = static_cast<std::uint64_t>(options.session.connections);
  if (read) read = section->read_count("connections", 2, kMostConnections, connections);
  if (read) read = section->read_duration("seed-time", options.seed_time);
  if (!read) return read.error();
  options.session.connections = static_cast<int>(connections);
  if (!options.session.listen.empty()) {
    const auto address = SocketAddress::parse(options.session.listen);
    if (!address) return Error(ErrorKind::kInvalid, "{}: {}", section->place_of("listen"), address.error().message());
  }
  if (options.session.site.size() > swarm::kMostSiteBytes)
    return Error(ErrorKind::kInvalid, "{}: at most {} bytes", section->place_of("site"), swarm::kMostSiteBytes);
  auto finished = section->finish();
  if (!finished) return finished.error();
  return options;
}

}  // namespace wherry::node
