#include "master/identity/oidc/options.h"

#include <sys/stat.h>

#include <algorithm>

#include "common/base/files.h"
#include "common/http/place.h"
#include "common/net/address.h"

namespace wherry::identity::oidc {
namespace {

constexpr std::size_t kMaxSecretFileBytes = 4096;
constexpr std::size_t kMaxAuthoritiesBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxTextBytes = 256;

Error wrong_option(const ConfigSection& section, const std::string& key, std::string_view what) {
  return Error(ErrorKind::kInvalid, "{}: {}", section.place_of(key), what);
}

bool is_loopback(const http::Place& place) {
  const auto address = SocketAddress::parse(place.host + ":" + place.port);
  return address && address->is_loopback();
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

/// Source: RFC 6749 3.3, "scope-token".
bool is_scope(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTextBytes && is_visible(text) &&
         text.find_first_of("\"\\") == std::string_view::npos;
}

bool is_claim(std::string_view text) { return !text.empty() && text.size() <= kMaxTextBytes; }

Result<void> check_issuer(const ConfigSection& section, const OidcOptions& options) {
  if (!http::is_server_url(options.issuer) || options.issuer.size() > kMaxUrlBytes)
    return wrong_option(section, "issuer", "'" + options.issuer + "' is not https://HOST/PATH");
  if (!is_safe_url(options.issuer, options.issuer))
    return wrong_option(section, "issuer", "http would let everybody on the way log in as anybody: it has to be https");
  return {};
}

Result<void> check_names(const ConfigSection& section, const OidcOptions& options) {
  if (options.client_id.empty() || options.client_id.size() > kMaxTextBytes || !is_visible(options.client_id))
    return wrong_option(section, "client-id", "is missing or no name: what the provider calls this registry");
  if (options.scopes.size() > kMostScopes || !std::ranges::all_of(options.scopes, is_scope))
    return wrong_option(section, "scopes", "is not a list of at most 32 scopes");
  if (std::ranges::find(options.scopes, "openid") == options.scopes.end())
    return wrong_option(section, "scopes", "has to hold openid");
  if (!is_claim(options.login_claim)) return wrong_option(section, "login-claim", "is not the name of a claim");
  if (!is_claim(options.groups_claim)) return wrong_option(section, "groups-claim", "is not the name of a claim");
  return {};
}

Result<void> read_section(ConfigSection& section, OidcOptions& options, std::string& secret_file) {
  struct Text {
    const char* key;
    std::string& into;
  };
  for (const Text& text : {Text{"issuer", options.issuer}, Text{"client-id", options.client_id},
                           Text{"client-secret-file", secret_file}, Text{"login-claim", options.login_claim},
                           Text{"groups-claim", options.groups_claim}, Text{"ca-file", options.ca_file}})
    if (auto read = section.read(text.key, text.into); !read) return read;
  if (auto read = section.read_list("scopes", options.scopes); !read) return read;
  if (auto read = section.read_duration("timeout", options.timeout); !read) return read;
  if (options.timeout < kLeastTimeout || options.timeout > kMaxTimeout)
    return wrong_option(section, "timeout", "is not between 100ms and 1m");
  return section.finish();
}

}  // namespace

bool is_safe_url(const std::string& url, const std::string& issuer) {
  if (url.size() > kMaxUrlBytes || url.find('#') != std::string::npos) return false;
  if (!url.starts_with("https://") && !url.starts_with("http://")) return false;
  const auto place = http::Place::of(url);
  const auto own = http::Place::of(issuer);
  if (!place || !own) return false;
  if (place->scheme == "https") return true;
  return own->scheme == "http" && place->host == own->host && is_loopback(*place);
}

Result<std::string> read_client_secret(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return Error(ErrorKind::kInvalid, "{} cannot be read", path);
  if (!S_ISREG(status.st_mode)) return Error(ErrorKind::kInvalid, "{} is not a file", path);
  if ((status.st_mode & S_IROTH) != 0)
    return Error(ErrorKind::kInvalid, "{} can be read by everybody: chmod 600 it", path);
  auto text = read_small_file(path, kMaxSecretFileBytes);
  if (!text) return Error(ErrorKind::kInvalid, "{}", text.error().message());
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->empty()) return Error(ErrorKind::kInvalid, "{} is empty", path);
  if (text->find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos)
    return Error(ErrorKind::kInvalid, "{} holds more than one line", path);
  return text;
}

Result<std::optional<OidcOptions>> read_oidc(ConfigSection& file) {
  auto section = file.section("oidc");
  if (!section) return section.error();
  if (section->finish()) return std::optional<OidcOptions>();  // a section in which there is nothing to be read
  OidcOptions options;
  std::string secret_file;
  if (auto read = read_section(*section, options, secret_file); !read) return read.error();
  if (options.issuer.empty()) return wrong_option(file, "oidc", "issuer is missing: the address of the provider");
  if (auto checked = check_issuer(*section, options); !checked) return checked.error();
  if (auto checked = check_names(*section, options); !checked) return checked.error();
  if (!secret_file.empty()) {
    auto secret = read_client_secret(secret_file);
    if (!secret) return wrong_option(*section, "client-secret-file", secret.error().message());
    options.client_secret = std::move(*secret);
  }
  if (!options.ca_file.empty())
    if (auto readable = read_small_file(options.ca_file, kMaxAuthoritiesBytes); !readable)
      return wrong_option(*section, "ca-file", readable.error().message());
  return std::optional<OidcOptions>(std::move(options));
}

}  // namespace wherry::identity::oidc
