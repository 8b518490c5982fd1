// Seals: words that nobody makes up who does not know this process's secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/random.h"
#include "common/oci/digest.h"

namespace wherry::swarm {

/// HMACs under a secret that ends with the process. 64 hexadecimal digits each; compare them with equal_secrets().
class Seals {
 public:
  enum class TicketTo { kSwarm, kVoucher };
  /// That this node may read that blob by that repository, until then, and is invited to that.
  std::string ticket(TicketTo what, const Digest& digest, std::string_view repository, std::string_view node,
                     std::int64_t until_ms) const;
  /// What a node shows in a swarm: the same whenever it is introduced there.
  std::string member(std::string_view swarm, std::string_view node) const;

 private:
  std::string sealed(std::string_view words) const;

  const std::string secret_ = random_hex(32);
};

}  // namespace wherry::swarm
