#include "common/http/place.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "common/base/lower_case.h"
#include "common/net/address.h"

namespace wherry::http {
namespace {

using Parsed = std::unique_ptr<CURLU, decltype(&::curl_url_cleanup)>;

std::string part_of(const Parsed& url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url.get(), part, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  ::curl_free(text);
  return out;
}

/// libcurl reads up to a NUL, and escapes or refuses other such bytes as its version does.
bool has_strange_bytes(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

}  // namespace

std::optional<Place> Place::of(const std::string& url) {
  if (has_strange_bytes(url)) return std::nullopt;
  const Parsed parsed(::curl_url(), ::curl_url_cleanup);
  if (::curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return std::nullopt;
  if (!part_of(parsed, CURLUPART_USER).empty() || !part_of(parsed, CURLUPART_PASSWORD).empty()) return std::nullopt;
  Place place{part_of(parsed, CURLUPART_SCHEME), part_of(parsed, CURLUPART_HOST),
              part_of(parsed, CURLUPART_PORT, CURLU_DEFAULT_PORT)};
  place.host = lower_case(place.host);
  if ((place.scheme != "http" && place.scheme != "https") || place.host.empty()) return std::nullopt;
  return place;
}

std::string Place::name() const { return port == (scheme == "https" ? "443" : "80") ? host : host + ":" + port; }

bool is_server_url(const std::string& url) {
  const bool begins_well = url.starts_with("http://") || url.starts_with("https://");
  return begins_well && url.find_first_of("?#") == std::string::npos && Place::of(url).has_value();
}

bool keeps_secrets(const std::string& url) {
  const auto place = Place::of(url);
  if (!place) return false;
  const auto address = SocketAddress::parse(place->host + ":" + place->port);
  return place->scheme == "https" || (address && address->is_loopback());
}

std::optional<std::string> resolve_url(const std::string& base, const std::string& reference) {
  if (has_strange_bytes(reference) || reference.empty()) return std::nullopt;
  const Parsed parsed(::curl_url(), ::curl_url_cleanup);
  if (::curl_url_set(parsed.get(), CURLUPART_URL, base.c_str(), 0) != CURLUE_OK) return std::nullopt;
  if (::curl_url_set(parsed.get(), CURLUPART_URL, reference.c_str(), 0) != CURLUE_OK) return std::nullopt;
  ::curl_url_set(parsed.get(), CURLUPART_FRAGMENT, nullptr, 0);
  auto url = part_of(parsed, CURLUPART_URL);
  if (url.empty()) return std::nullopt;
  return url;
}

}  // namespace wherry::http
