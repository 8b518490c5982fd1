#include "master/identity/token_keys.h"

#include <string_view>

#include "common/base/files.h"

namespace wherry::identity {
namespace {

constexpr std::size_t kMaxKeysBytes = 16 * 1024;
constexpr std::string_view kEnd = "-----END PRIVATE KEY-----\n";

Result<std::vector<auth::JwtSigningKey>> read_keys(const std::string& path) {
  auto content = read_small_file(path, kMaxKeysBytes);
  if (!content) return content.error();
  std::vector<auth::JwtSigningKey> keys;
  std::string_view rest = *content;
  for (auto end = rest.find(kEnd); end != std::string_view::npos; end = rest.find(kEnd)) {
    auto key = auth::JwtSigningKey::from_pem(rest.substr(0, end + kEnd.size()));
    if (!key) return Error(ErrorKind::kInvalid, "{}: {}", path, key.error().message());
    keys.push_back(std::move(*key));
    rest.remove_prefix(end + kEnd.size());
  }
  if (keys.size() < 2 || keys.size() > 3 || !rest.empty())
    return Error(ErrorKind::kInvalid, "{} does not hold two or three private keys in PEM form", path);
  return keys;
}

}  // namespace

Result<TokenKeys> TokenKeys::load_or_make(const std::string& path) {
  auto keys = read_keys(path);
  if (keys) return TokenKeys(std::move(*keys));
  if (keys.error().kind() != ErrorKind::kNotFound) return keys.error();
  TokenKeys made({auth::JwtSigningKey::make(), auth::JwtSigningKey::make()});
  auto saved = made.save(path);
  if (!saved) return saved.error();
  return made;
}

Result<TokenKeys> TokenKeys::load(const std::string& path) {
  auto keys = read_keys(path);
  if (!keys) return keys.error();
  return TokenKeys(std::move(*keys));
}

Result<void> TokenKeys::rotate(const std::string& path) {
  auto keys = read_keys(path);
  if (!keys) return keys.error();
  return TokenKeys({(*keys)[1], auth::JwtSigningKey::make(), (*keys)[0]}).save(path);
}

Result<void> TokenKeys::save(const std::string& path) const {
  std::string text;
  for (const auth::JwtSigningKey& key : keys_) text += key.pem();
  return replace_secret_file(path, text);
}

std::vector<auth::PublicJwtKey> TokenKeys::public_keys() const {
  std::vector<auth::PublicJwtKey> keys;
  for (const auth::JwtSigningKey& key : keys_) keys.push_back(key.public_key());
  return keys;
}

}  // namespace wherry::identity
