#include "common/oci/hasher.h"

#include <algorithm>
#include <type_traits>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry {
namespace {

constexpr char kStateVersion = 1;
constexpr std::uint64_t kMaxHashedBytes = (std::uint64_t{1} << 61) - 1;  // its length in bits has to fit 64 bits

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // see the class: EVP cannot export its state
void init(SHA256_CTX& state) { WHERRY_CHECK(SHA256_Init(&state) == 1); }
void init(SHA512_CTX& state) { WHERRY_CHECK(SHA512_Init(&state) == 1); }
void update(SHA256_CTX& state, std::string_view b) { WHERRY_CHECK(SHA256_Update(&state, b.data(), b.size()) == 1); }
void update(SHA512_CTX& state, std::string_view b) { WHERRY_CHECK(SHA512_Update(&state, b.data(), b.size()) == 1); }
void finish(SHA256_CTX& state, std::uint8_t* out) { WHERRY_CHECK(SHA256_Final(out, &state) == 1); }
void finish(SHA512_CTX& state, std::uint8_t* out) { WHERRY_CHECK(SHA512_Final(out, &state) == 1); }
#pragma GCC diagnostic pop

// What differs between the two structs, so that save and load are written once.
const char* block(const SHA256_CTX& state) { return reinterpret_cast<const char*>(state.data); }
const char* block(const SHA512_CTX& state) { return reinterpret_cast<const char*>(state.u.p); }
char* block(SHA256_CTX& state) { return reinterpret_cast<char*>(state.data); }
char* block(SHA512_CTX& state) { return reinterpret_cast<char*>(state.u.p); }
constexpr std::size_t block_bytes(const SHA256_CTX&) { return SHA256_CBLOCK; }
constexpr std::size_t block_bytes(const SHA512_CTX&) { return SHA512_CBLOCK; }
void append_word(std::string& out, SHA_LONG word) { append_be32(out, word); }
void append_word(std::string& out, SHA_LONG64 word) { append_be64(out, word); }
void take_word(std::string_view& in, SHA_LONG& word) { word = *take_be32(in); }
void take_word(std::string_view& in, SHA_LONG64& word) { word = *take_be64(in); }
void set_bits(SHA256_CTX& state, std::uint64_t bits) {
  state.Nl = static_cast<SHA_LONG>(bits);
  state.Nh = static_cast<SHA_LONG>(bits >> 32);
}
void set_bits(SHA512_CTX& state, std::uint64_t bits) {
  state.Nl = bits;
  state.Nh = 0;
}

Error corrupt(std::string_view what) { return Error(ErrorKind::kCorrupt, "saved hash state: {}", what); }

}  // namespace

Hasher::Hasher(DigestAlgorithm algorithm) {
  if (algorithm == DigestAlgorithm::kSha512) state_.emplace<SHA512_CTX>();
  std::visit([](auto& state) { init(state); }, state_);
}

DigestAlgorithm Hasher::algorithm() const {
  return std::holds_alternative<SHA256_CTX>(state_) ? DigestAlgorithm::kSha256 : DigestAlgorithm::kSha512;
}

void Hasher::update(std::span<const std::byte> bytes) { update(as_text(bytes)); }

void Hasher::update(std::string_view bytes) {
  WHERRY_CHECK(bytes.size() <= kMaxHashedBytes - size_bytes_);
  if (bytes.empty()) return;
  std::visit([&](auto& state) { wherry::update(state, bytes); }, state_);
  size_bytes_ += bytes.size();
}

Digest Hasher::finish() const {
  Digest digest(algorithm());
  auto copy = state_;
  std::visit([&](auto& state) { wherry::finish(state, digest.bytes_.data()); }, copy);
  return digest;
}

std::string Hasher::save() const {
  std::string out;
  out.reserve(saved_bytes(algorithm()));
  out.push_back(kStateVersion);
  out.push_back(static_cast<char>(algorithm()));
  append_be64(out, size_bytes_);
  std::visit(
      [&](const auto& state) {
        for (const auto word : state.h) append_word(out, word);
        const std::size_t open = size_bytes_ % block_bytes(state);
        out.append(block(state), open);
        out.append(block_bytes(state) - open, '\0');
      },
      state_);
  return out;
}

Result<Hasher> Hasher::load(std::string_view saved) {
  if (saved.size() < 2) return corrupt("cut short");
  if (saved[0] != kStateVersion) return corrupt("of another version");
  const auto tag = static_cast<DigestAlgorithm>(saved[1]);
  if (tag != DigestAlgorithm::kSha256 && tag != DigestAlgorithm::kSha512) return corrupt("of an unknown algorithm");
  if (saved.size() != saved_bytes(tag)) return corrupt("not of the length of its algorithm");

  Hasher hasher(tag);
  std::string_view in = saved.substr(2);
  hasher.size_bytes_ = *take_be64(in);
  if (hasher.size_bytes_ > kMaxHashedBytes) return corrupt("its size is over the bound");
  const std::string_view fault = std::visit(
      [&](auto& state) -> std::string_view {
        const auto first = state;
        for (auto& word : state.h) take_word(in, word);
        if (hasher.size_bytes_ < block_bytes(state) && !std::ranges::equal(state.h, first.h))
          return "its chain moved before the first block was full";
        const std::size_t open = hasher.size_bytes_ % block_bytes(state);
        if (in.find_first_not_of('\0', open) != std::string_view::npos) return "bytes behind the end of the open block";
        in.copy(block(state), block_bytes(state));
        state.num = static_cast<unsigned>(open);
        set_bits(state, hasher.size_bytes_ * 8);
        return {};
      },
      hasher.state_);
  if (!fault.empty()) return corrupt(fault);
  return hasher;
}

}  // namespace wherry
