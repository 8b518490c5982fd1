#include "common/upstream/credentials.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "common/base/base64.h"
#include "common/base/files.h"

namespace wherry {
namespace {

constexpr std::size_t kMaxFileBytes = 64 * 1024;

Result<Credentials> split(const std::string& text, const std::string& path) {
  const auto colon = text.find(':');
  if (colon == std::string::npos || colon == 0)
    return Error(ErrorKind::kInvalid, "{}: is neither USER:PASSWORD nor docker's config.json", path);
  Credentials credentials;
  credentials.user = text.substr(0, colon);
  credentials.password = text.substr(colon + 1);
  return credentials;
}

/// The entry of a host in `auths`, whose keys may be written as URLs.
const nlohmann::json* entry_of(const nlohmann::json& auths, const std::string& host) {
  for (const std::string& key : {host, "https://" + host, "https://" + host + "/v2/", "https://" + host + "/v1/"})
    if (const auto found = auths.find(key); found != auths.end()) return &*found;
  if (host == "docker.io") return entry_of(auths, "index.docker.io");
  return nullptr;
}

std::string text_of(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Result<Credentials> from_docker_config(const std::string& text, const std::string& path, const std::string& host) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto auths = json.is_object() ? json.find("auths") : json.end();
  if (!json.is_object() || auths == json.end() || !auths->is_object())
    return Error(ErrorKind::kInvalid, "{}: is not docker's config.json: it has no auths", path);
  const nlohmann::json* entry = entry_of(*auths, host);
  if (entry == nullptr || !entry->is_object()) return Error(ErrorKind::kInvalid, "{}: has nothing for {}", path, host);
  Credentials credentials;
  if (const auto auth = text_of(*entry, "auth"); !auth.empty()) {
    const auto decoded = from_base64(auth);
    if (!decoded) return Error(ErrorKind::kInvalid, "{}: auth of {} is not base64", path, host);
    auto pair = split(*decoded, path);
    if (!pair) return pair;
    credentials = std::move(*pair);
  } else {
    credentials.user = text_of(*entry, "username");
    credentials.password = text_of(*entry, "password");
  }
  credentials.identity_token = text_of(*entry, "identitytoken");
  if (credentials.empty()) return Error(ErrorKind::kInvalid, "{}: the entry of {} is empty", path, host);
  return credentials;
}

}  // namespace

std::string Credentials::basic() const { return "Basic " + to_base64(user + ":" + password); }

Result<Credentials> read_credentials(const std::string& path, const std::string& host) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return Error(ErrorKind::kInvalid, "{}: cannot be read", path);
  if (!S_ISREG(status.st_mode)) return Error(ErrorKind::kInvalid, "{}: is not a file", path);
  if ((status.st_mode & S_IROTH) != 0)
    return Error(ErrorKind::kInvalid, "{}: can be read by everybody: chmod 600 it", path);
  auto read = read_small_file(path, kMaxFileBytes);
  if (!read && read.error().kind() == ErrorKind::kTooLarge)
    return Error(ErrorKind::kInvalid, "{}: larger than 64 KiB", path);
  if (!read) return Error(ErrorKind::kInvalid, "{}: cannot be read", path);
  std::string text = std::move(*read);
  if (const auto first = text.find_first_not_of(" \t\r\n"); first != std::string::npos && text[first] == '{')
    return from_docker_config(text, path, host);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.find_first_of("\r\n") != std::string::npos)
    return Error(ErrorKind::kInvalid, "{}: has more than one line", path);
  return split(text, path);
}

}  // namespace wherry
