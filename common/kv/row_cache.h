// RowCache: rows that one thread reads over and over, without asking the store each time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/kv/key_value.h"
#include "common/kv/table_versions.h"

namespace wherry::kv {

/// Rows with the version that their table had before they were read: they are right as long as it has that one. Of two
/// generations: what was read lately, and what was before that; the younger becomes the older one when it is full, so
/// that a scan of everything drops only what is not read meanwhile. Calls are O(1); no locks: of one thread.
class RowCache {
 public:
  static constexpr std::size_t kGenerationBytes = std::size_t{2} << 20;
  static constexpr std::size_t kMaxRowBytes = std::size_t{64} << 10;  ///< larger rows are not kept
  static constexpr std::size_t kOverheadBytes = 160;                  ///< of a row beside its key and value

  /// Null when it is not there or its table was written to.
  Row find(std::string_view key, std::uint64_t version);
  void keep(std::string key, Row row, std::uint64_t version);

 private:
  struct Kept {
    Row row;
    std::uint64_t version;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  using Generation = std::unordered_map<std::string, Kept, Hash, std::equal_to<>>;

  Generation young_;
  Generation old_;
  std::size_t young_bytes_ = 0;
};

}  // namespace wherry::kv
