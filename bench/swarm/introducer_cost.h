// What introductions cost the parent.
#pragma once

#include <cstdint>

namespace wherry::bench {

struct IntroducerCost {
  double introductions_per_second = 0;  ///< of CPU time of one core, while `members` join one after the other
  double last_microseconds = 0;         ///< of CPU time: each of the last hundredth
  double bytes_per_member = 0;          ///< of the heap, as malloc counts them
  double board_bytes = 0;               ///< of the leases of one blob at one site
};

/// Of `members` with names and addresses as long as real ones are, of `sites` sites, and a blob of `pieces` pieces.
IntroducerCost introducer_cost(std::uint64_t members, std::uint64_t sites, std::uint32_t pieces);

}  // namespace wherry::bench
