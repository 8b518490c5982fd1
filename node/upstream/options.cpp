#include "node/upstream/options.h"

#include <algorithm>

#include "common/http/place.h"

namespace wherry::node {
namespace {

/// HOST or HOST:PORT, lower case, as clients write the registry part of a reference.
bool is_registry_name(const std::string& text) {
  const auto colon = text.find(':');
  const std::string host = text.substr(0, colon);
  const std::string port = colon == std::string::npos ? "1" : text.substr(colon + 1);
  const bool host_fits = !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == host.npos;
  return host_fits && !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == port.npos &&
         (host == "localhost" || host.find('.') != host.npos || colon != text.npos);
}

void know_docker_hub(UpstreamOptions& upstream) {
  if (upstream.name != "docker.io") return;
  upstream.url = "https://registry-1.docker.io";
  upstream.library = true;
  upstream.aliases = {"index.docker.io", "registry-1.docker.io"};
  upstream.realms = {"auth.docker.io"};
}

Error wrong_url(const std::string& place, const std::string& url) {
  return Error(ErrorKind::kInvalid, "{}: '{}' is not the URL of a registry, such as https://registry.example:5000",
               place, url);
}

Result<void> read_url(ConfigSection& section, std::string& url) {
  if (auto read = section.read("url", url); !read) return read;
  if (!url.empty() && !http::is_server_url(url)) return wrong_url(section.place_of("url"), url);
  return {};
}

Result<void> read_limits(ConfigSection section, BudgetLimits& into) {
  constexpr std::uint64_t kMost = 1'000'000;
  if (auto read = section.read_count("concurrent", 1, kMost, into.concurrent); !read) return read;
  if (auto read = section.read_bytes("bytes-per-second", into.bytes_per_second); !read) return read;
  if (auto read = section.read_count("manifests", 1, kMost, into.manifests); !read) return read;
  if (auto read = section.read_duration("window", into.window); !read) return read;
  std::uint64_t reserve = kMost;
  if (auto read = section.read_count("reserve", 0, kMost - 1, reserve); !read) return read;
  const bool is_given = reserve != kMost;
  if (is_given && into.manifests > 0 && reserve >= into.manifests)
    return Error(ErrorKind::kInvalid, "{}: must be less than manifests", section.place_of("reserve"));
  if (is_given)
    into.reserve = reserve;
  else if (into.manifests > 0)
    into.reserve = std::min(into.reserve, into.manifests / 2);
  return section.finish();
}

/// Reads the keys that parent and upstreams have in common.
Result<void> read_common(ConfigSection& section, UpstreamOptions& into) {
  auto limits = section.section("limits");
  if (!limits) return limits.error();
  if (auto read = read_limits(std::move(*limits), into.limits); !read) return read;
  if (auto read = section.read("ca-file", into.ca_file); !read) return read;
  if (auto read = section.read("credentials-file", into.credentials_file); !read) return read;
  if (auto read = section.read("proxy", into.proxy); !read) return read;
  if (auto read = section.read_list("realms", into.realms); !read) return read;
  if (auto read = section.read_list("redirects", into.redirects); !read) return read;
  if (auto read = section.read_duration("connect-time", into.connect_time); !read) return read;
  if (auto read = section.read_duration("silence", into.silence); !read) return read;
  if (into.silence < std::chrono::seconds(1))
    return Error(ErrorKind::kInvalid, "{}: at least 1s", section.place_of("silence"));
  if (auto read = section.read_bytes("least-bytes-per-second", into.least_bytes_per_second); !read) return read;
  if (auto read = section.read_duration("negative-age", into.negative_age); !read) return read;
  if (into.negative_age > kMaxNegativeAge)
    return Error(ErrorKind::kInvalid, "{}: at most 10s", section.place_of("negative-age"));
  return {};
}

/// Reads one entry of `upstreams`.
Result<UpstreamOptions> read_upstream(ConfigSection& section) {
  std::string name;
  if (auto read = section.read("name", name); !read) return read.error();
  auto named = upstream_of_name(name);
  if (!named) return Error(ErrorKind::kInvalid, "{}: {}", section.place_of("name"), named.error().message());
  UpstreamOptions upstream = std::move(*named);
  upstream.negative_age = kMaxNegativeAge;
  if (auto read = read_url(section, upstream.url); !read) return read.error();
  if (auto read = section.read_list("aliases", upstream.aliases); !read) return read.error();
  for (const std::string& alias : upstream.aliases)
    if (!is_registry_name(alias))
      return Error(ErrorKind::kInvalid, "{}: '{}' is not the name of a registry", section.place_of("aliases"), alias);
  if (auto read = section.read_list("allow", upstream.allow); !read) return read.error();
  if (auto read = section.read_list("deny", upstream.deny); !read) return read.error();
  std::vector<std::string> platforms;
  if (auto read = section.read_list("platforms", platforms); !read) return read.error();
  auto chosen = PlatformChoice::parse(platforms);
  if (!chosen) return Error(ErrorKind::kInvalid, "{}: {}", section.place_of("platforms"), chosen.error().message());
  upstream.platforms = std::move(*chosen);
  if (auto read = section.read("library", upstream.library); !read) return read.error();
  if (auto read = read_common(section, upstream); !read) return read.error();
  if (auto finished = section.finish(); !finished) return finished.error();
  return upstream;
}

}  // namespace

std::string prefix_of(const std::string& name) {
  const auto colon = name.find(':');
  return colon == std::string::npos ? name : name.substr(0, colon) + "__" + name.substr(colon + 1);
}

Result<UpstreamOptions> upstream_of_name(const std::string& name) {
  if (!is_registry_name(name))
    return Error(ErrorKind::kInvalid, "'{}' is not the name of a registry, such as docker.io or localhost:5000", name);
  UpstreamOptions upstream;
  upstream.name = name;
  upstream.url = "https://" + name;
  know_docker_hub(upstream);
  return upstream;
}

Result<Registries> read_registries(ConfigSection& file) {
  Registries registries;
  auto parent = file.section("parent");
  if (!parent) return parent.error();
  if (auto read = read_url(*parent, registries.parent.url); !read) return read.error();
  if (auto read = parent->read_list("names", registries.parent.aliases); !read) return read.error();
  for (const std::string& name : registries.parent.aliases)
    if (auto named = upstream_of_name(name); !named)
      return Error(ErrorKind::kInvalid, "{}: {}", parent->place_of("names"), named.error().message());
  if (auto read = parent->read("follow", registries.follow.enabled); !read) return read.error();
  if (auto read = parent->read("compress-feed", registries.follow.compress); !read) return read.error();
  if (auto read = parent->read("feed-key", registries.follow.key); !read) return read.error();
  if (auto read = parent->read("join-token", registries.follow.join); !read) return read.error();
  if (auto read = read_common(*parent, registries.parent); !read) return read.error();
  if (auto finished = parent->finish(); !finished) return finished.error();
  auto upstreams = file.sections("upstreams");
  if (!upstreams) return upstreams.error();
  for (ConfigSection& section : *upstreams) {
    auto upstream = read_upstream(section);
    if (!upstream) return upstream.error();
    registries.upstreams.push_back(std::move(*upstream));
  }
  if (auto read = file.read("root", registries.root); !read) return read.error();
  return registries;
}

}  // namespace wherry::node
