#include "common/oci/digest.h"

#include <openssl/sha.h>

#include <array>
#include <cstring>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/oci/excerpt.h"

namespace wherry {
namespace {

__extension__ using Uint128 = unsigned __int128;

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const Uint128 product = Uint128{a} * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

struct Seed {
  std::uint64_t a;
  std::uint64_t b;
};

const Seed& process_seed() {
  static const Seed kSeed = [] {
    Seed seed{};
    const std::string random = random_hex(sizeof(Seed));
    const Digest spread = Digest::of(DigestAlgorithm::kSha256, random);
    std::memcpy(&seed, spread.raw().data(), sizeof(Seed));
    return seed;
  }();
  return kSeed;
}

/// The values of lower-case hex digits, -1 for anything else: a digest is read for each request.
constexpr auto kNibbles = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 16; ++i) values[static_cast<unsigned char>("0123456789abcdef"[i])] = static_cast<std::int8_t>(i);
  return values;
}();
int nibble(char c) { return kNibbles[static_cast<unsigned char>(c)]; }

Error bad_hex_digit(std::string_view text, std::size_t position) {
  const char c = text[position];
  if (c >= 'A' && c <= 'F')
    return Error(ErrorKind::kDigestInvalid, "digest {} has an upper-case hex digit at byte {}; write it in lower case",
                 excerpt(text), position);
  return Error(ErrorKind::kDigestInvalid, "digest {} has a character at byte {} that is no lower-case hex digit",
               excerpt(text), position);
}

}  // namespace

Result<DigestAlgorithm> parse_algorithm(std::string_view name) {
  if (name == "sha256") return DigestAlgorithm::kSha256;
  if (name == "sha512") return DigestAlgorithm::kSha512;
  return Error(ErrorKind::kDigestInvalid, "digest algorithm {} is not supported; use sha256 or sha512", excerpt(name));
}

std::string_view algorithm_name(DigestAlgorithm algorithm) {
  return algorithm == DigestAlgorithm::kSha256 ? "sha256" : "sha512";
}

Result<Digest> Digest::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return Error(ErrorKind::kDigestInvalid, "digest {} has no ':'; write it as sha256:<64 hex digits>", excerpt(text));
  const auto algorithm = parse_algorithm(text.substr(0, colon));
  if (!algorithm) return algorithm.error();
  const std::size_t digits = digest_bytes(*algorithm) * 2;
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() != digits)
    return Error(ErrorKind::kDigestInvalid, "digest {} has {} characters after '{}:', not {}", excerpt(text),
                 hex.size(), wherry::algorithm_name(*algorithm), digits);
  Digest digest(*algorithm);
  for (std::size_t i = 0; i < digits; i += 2) {
    const int high = nibble(hex[i]);
    const int low = nibble(hex[i + 1]);
    if (high < 0) return bad_hex_digit(text, colon + 1 + i);
    if (low < 0) return bad_hex_digit(text, colon + 2 + i);
    digest.bytes_[i / 2] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

Result<Digest> Digest::from_binary(std::string_view binary) {
  if (binary.empty()) return Error(ErrorKind::kDigestInvalid, "binary digest is empty");
  const auto tag = static_cast<std::uint8_t>(binary[0]);
  if (tag != static_cast<std::uint8_t>(DigestAlgorithm::kSha256) &&
      tag != static_cast<std::uint8_t>(DigestAlgorithm::kSha512))
    return Error(ErrorKind::kDigestInvalid, "binary digest has the unknown algorithm tag {}", tag);
  return from_raw(static_cast<DigestAlgorithm>(tag), as_bytes(binary.substr(1)));
}

Result<Digest> Digest::from_raw(DigestAlgorithm algorithm, std::span<const std::byte> raw) {
  if (raw.size() != digest_bytes(algorithm))
    return Error(ErrorKind::kDigestInvalid, "a {} hash has {} bytes, not {}", wherry::algorithm_name(algorithm),
                 digest_bytes(algorithm), raw.size());
  Digest digest(algorithm);
  std::memcpy(digest.bytes_.data(), raw.data(), raw.size());
  return digest;
}

Digest Digest::of(DigestAlgorithm algorithm, std::span<const std::byte> bytes) { return of(algorithm, as_text(bytes)); }

Digest Digest::of(DigestAlgorithm algorithm, std::string_view bytes) {
  Digest digest(algorithm);
  if (algorithm == DigestAlgorithm::kSha256) {
    const Sha256 hash = sha256(bytes);
    std::memcpy(digest.bytes_.data(), hash.data(), hash.size());
    return digest;
  }
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  WHERRY_CHECK(SHA512(data, bytes.size(), digest.bytes_.data()) != nullptr);
  return digest;
}

std::string Digest::to_string() const {
  std::string out;
  out.reserve(7 + digest_bytes(algorithm_) * 2);
  append_to(out);
  return out;
}

void Digest::append_to(std::string& out) const {
  out.append(algorithm_name()).push_back(':');
  append_hex(out, raw());
}

std::string Digest::hex() const { return to_hex(raw()); }

std::string Digest::binary() const {
  std::string out;
  out.reserve(1 + digest_bytes(algorithm_));
  out.push_back(static_cast<char>(algorithm_));
  out.append(as_text(raw()));
  return out;
}

std::size_t Digest::hash() const noexcept {
  const Seed& seed = process_seed();
  std::uint64_t state = seed.a ^ static_cast<std::uint64_t>(algorithm_);
  for (std::size_t i = 0; i < digest_bytes(algorithm_); i += 16) {
    std::uint64_t words[2];
    std::memcpy(words, bytes_.data() + i, sizeof words);
    state = mix(words[0] ^ seed.b, words[1] ^ state);
  }
  return mix(state, seed.b);
}

}  // namespace wherry
