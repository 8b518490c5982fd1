// Caches to compare: each is asked for one blob after another and says whether it had it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace wherry::bench {

class CacheModel {
 public:
  virtual ~CacheModel() = default;
  /// True when the blob was held. Takes it in when not, unless it is larger than the whole cache.
  virtual bool get(std::uint32_t blob, std::uint64_t bytes) = 0;
};

struct NamedModel {
  std::string name;
  std::function<std::unique_ptr<CacheModel>(std::uint64_t capacity_bytes)> make;
};

/// LRU, SIEVE, S3-FIFO as their papers have them (bytes in the place of entries), and the node's own.
std::vector<NamedModel> all_models();

}  // namespace wherry::bench
