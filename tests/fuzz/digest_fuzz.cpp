// Digest: what parses is exactly its own text and binary form; a saved hash state that loads is exactly its own form.
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/oci/digest.h"
#include "common/oci/hasher.h"

namespace {

/// The grammar once more, written another way.
bool is_digest(std::string_view text) {
  const bool sha256 = text.size() == 71 && text.substr(0, 7) == "sha256:";
  const bool sha512 = text.size() == 135 && text.substr(0, 7) == "sha512:";
  return (sha256 || sha512) && text.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using wherry::Digest;
  using wherry::Hasher;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  const auto digest = Digest::parse(text);
  WHERRY_CHECK(digest.has_value() == is_digest(text));
  if (digest) {
    WHERRY_CHECK(digest->to_string() == text);
    const auto again = Digest::from_binary(digest->binary());
    WHERRY_CHECK(again && *again == *digest && again->hash() == digest->hash());
  } else {
    WHERRY_CHECK(digest.error().kind() == wherry::ErrorKind::kDigestInvalid && digest.error().message().size() < 250);
  }
  if (const auto stored = Digest::from_binary(text)) {
    WHERRY_CHECK(stored->binary() == text);
    const auto again = Digest::parse(stored->to_string());
    WHERRY_CHECK(again && *again == *stored);
  }
  if (auto hasher = Hasher::load(text)) {
    WHERRY_CHECK(hasher->save() == text);
    const auto once = hasher->finish();
    WHERRY_CHECK(hasher->finish() == once);
    if (hasher->size() < (std::uint64_t{1} << 60)) {
      auto resumed = *Hasher::load(hasher->save());
      hasher->update(text);
      resumed.update(text);
      WHERRY_CHECK(hasher->save() == resumed.save() && hasher->finish() == resumed.finish());
    }
  }
  // Cutting a message anywhere and going on from the saved state hashes the same message.
  if (size > 0) {
    for (const auto algorithm : {wherry::DigestAlgorithm::kSha256, wherry::DigestAlgorithm::kSha512}) {
      const std::size_t cut = data[0] % size;
      Hasher first(algorithm);
      first.update(text.substr(0, cut));
      auto second = Hasher::load(first.save());
      WHERRY_CHECK(second.has_value());
      second->update(text.substr(cut));
      WHERRY_CHECK(second->finish() == Digest::of(algorithm, text));
    }
  }
  return 0;
}
