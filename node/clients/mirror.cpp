#include "node/clients/mirror.h"

#include "common/http/place.h"
#include "common/net/address.h"

namespace wherry::node {

Result<NodePlace> NodePlace::parse(const std::string& url) {
  const Error wrong(ErrorKind::kInvalid, "'{}' is not the URL of a node, such as http://127.0.0.1:5010", url);
  if (!http::is_server_url(url)) return wrong;
  NodePlace place;
  place.url = url.ends_with('/') ? url.substr(0, url.size() - 1) : url;
  place.host = place.url.substr(place.url.find("://") + 3);
  // What ends up between quotes in files of three forms may need no escape in any.
  if (place.host.empty() || place.host.find_first_of("/\"'\\ ") != place.host.npos) return wrong;
  const auto known = http::Place::of(url);
  if (!known) return wrong;
  place.is_plain = known->scheme == "http";
  const auto address = SocketAddress::parse(known->host + ":" + known->port);
  place.is_loopback = address && address->is_loopback();
  return place;
}

std::string Mirror::origin_location() const {
  constexpr std::string_view kDockerHub = "https://registry-1.docker.io";
  const auto place = http::Place::of(origin);
  const bool has_path = origin.find('/', origin.find("://") + 3) < origin.size() - 1;
  if (!place || has_path || (registry == "docker.io" && origin == kDockerHub)) return registry;
  return place->name();
}

bool Mirror::is_origin_plain() const { return origin.starts_with("http://"); }

}  // namespace wherry::node
