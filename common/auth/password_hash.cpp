#include "common/auth/password_hash.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "common/base/base64.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/random.h"

namespace wherry::auth {
namespace {

constexpr std::uint64_t kCostLog2 = 15;
constexpr std::uint64_t kMostCostLog2 = 20;
constexpr std::uint64_t kBlockSize = 8;
constexpr std::uint64_t kParallel = 1;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kHashBytes = 32;

std::string random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  fill_random(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

std::string scrypt(std::string_view password, std::string_view salt, std::uint64_t cost_log2) {
  std::string hash(kHashBytes, '\0');
  const std::uint64_t cost = std::uint64_t{1} << cost_log2;
  const std::uint64_t memory = 128 * kBlockSize * cost + (std::uint64_t{1} << 20);
  WHERRY_CHECK(::EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()),
                                salt.size(), cost, kBlockSize, kParallel, memory,
                                reinterpret_cast<unsigned char*>(hash.data()), hash.size()) == 1);
  return hash;
}

struct StoredHash {
  std::uint64_t cost_log2 = kCostLog2;
  std::string salt;
  std::string hash;
};

std::optional<StoredHash> parse_hash(std::string_view text) {
  constexpr std::string_view kStart = "$scrypt$ln=";
  constexpr std::string_view kMiddle = ",r=8,p=1$";
  if (!text.starts_with(kStart)) return std::nullopt;
  text.remove_prefix(kStart.size());
  const auto comma = text.find(',');
  const auto cost = parse_decimal(text.substr(0, comma), kMostCostLog2);
  if (!cost || *cost == 0 || comma == std::string_view::npos || !text.substr(comma).starts_with(kMiddle))
    return std::nullopt;
  text.remove_prefix(comma + kMiddle.size());
  const auto dollar = text.find('$');
  if (dollar == std::string_view::npos) return std::nullopt;
  auto salt = from_base64url(text.substr(0, dollar));
  auto hash = from_base64url(text.substr(dollar + 1));
  if (!salt || !hash || hash->size() != kHashBytes) return std::nullopt;
  return StoredHash{.cost_log2 = *cost, .salt = std::move(*salt), .hash = std::move(*hash)};
}

}  // namespace

std::string hash_password(std::string_view password) {
  const std::string salt = random_bytes(kSaltBytes);
  return fmt::format("$scrypt$ln={},r={},p={}${}${}", kCostLog2, kBlockSize, kParallel, to_base64url(salt),
                     to_base64url(scrypt(password, salt, kCostLog2)));
}

bool password_fits(std::string_view password, std::string_view hash) {
  const auto stored = parse_hash(hash);
  if (!stored) {
    check_nothing(password);
    return false;
  }
  return equal_secrets(scrypt(password, stored->salt, stored->cost_log2), stored->hash);
}

void check_nothing(std::string_view password) {
  static const std::string salt = random_bytes(kSaltBytes);
  [[maybe_unused]] const std::string unused = scrypt(password, salt, kCostLog2);
}

Result<void> check_new_password(std::string_view password, std::string_view login) {
  if (password.size() < kLeastPasswordBytes || password.size() > kMostPasswordBytes)
    return Error(ErrorKind::kInvalid, "a password has {} to {} bytes", kLeastPasswordBytes, kMostPasswordBytes);
  if (std::ranges::any_of(password, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return Error(ErrorKind::kInvalid, "a password holds no control characters: was a line end read with it?");
  if (password.find_first_not_of(password.front()) == std::string_view::npos || password == login)
    return Error(ErrorKind::kInvalid, "a password that is one character or the login name keeps nobody out");
  return {};
}

std::string random_password() {
  constexpr std::string_view kLetters = "abcdefghijkmnpqrstuvwxyz23456789";  // 32: five bits each
  constexpr std::size_t kCharacters = 32;
  std::string password = random_bytes(kCharacters);
  for (char& c : password) c = kLetters[static_cast<unsigned char>(c) % kLetters.size()];
  return password;
}

std::string random_secret() { return to_base64url(random_bytes(32)); }

bool equal_secrets(std::string_view one, std::string_view other) {
  return one.size() == other.size() && ::CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace wherry::auth
