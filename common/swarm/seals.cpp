#include "common/swarm/seals.h"

#include "common/base/bytes.h"
#include "common/base/sha256.h"

namespace wherry::swarm {

std::string Seals::ticket(TicketTo what, const Digest& digest, std::string_view repository, std::string_view node,
                          std::int64_t until_ms) const {
  std::string words = digest.binary();
  words.push_back(what == TicketTo::kSwarm ? 's' : 'v');
  append_text(words, repository);
  append_text(words, node);
  append_be64(words, static_cast<std::uint64_t>(until_ms));
  return sealed(words);
}

std::string Seals::member(std::string_view swarm, std::string_view node) const {
  std::string words = "member";
  append_text(words, swarm);
  append_text(words, node);
  return sealed(words);
}

std::string Seals::sealed(std::string_view words) const { return to_hex(sha256(secret_, as_text(sha256(words)))); }

}  // namespace wherry::swarm
