// A trace of blob GETs of the shape that registries show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wherry::bench {

struct TraceShape {
  std::size_t requests = 1'000'000;
  double zipf = 1.0;     ///< exponent of popularity
  double one_hit = 0.3;  ///< of the blobs, asked for once
  std::uint64_t largest_bytes = std::uint64_t{4} << 30;
  std::uint64_t seed = 1;
};

struct Trace {
  std::vector<std::uint64_t> sizes;     ///< of each blob
  std::vector<std::uint32_t> requests;  ///< which blob each GET asks for
  std::uint64_t working_set_bytes = 0;  ///< of all blobs that were asked for
};

/// Sizes are log-normal through 65 % under 1 MB and 80 % under 10 MB; popularity is Zipf over the living images' blobs,
/// of which new ones take the place of old ones; each new one is pushed and asked for in a burst soon after, and
/// `one_hit` of all are asked for that once.
Trace make_trace(const TraceShape& shape);

}  // namespace wherry::bench
