#include "common/feed/hash.h"

#include <openssl/sha.h>

#include "common/base/bytes.h"

namespace wherry::feed {

Hash hash_of(std::string_view bytes) {
  Hash hash{};
  ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

Hash next_chain(const Hash& previous, const Hash& entry) {
  std::array<std::byte, 64> both{};
  std::memcpy(both.data(), previous.data(), previous.size());
  std::memcpy(both.data() + previous.size(), entry.data(), entry.size());
  return hash_of(as_text(both));
}

}  // namespace wherry::feed
