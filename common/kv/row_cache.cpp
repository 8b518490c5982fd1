#include "common/kv/row_cache.h"

#include <utility>

namespace wherry::kv {

Row RowCache::find(std::string_view key, std::uint64_t version) {
  if (const auto found = young_.find(key); found != young_.end())
    return found->second.version == version ? found->second.row : nullptr;
  const auto found = old_.find(key);
  if (found == old_.end()) return nullptr;
  auto node = old_.extract(found);
  if (node.mapped().version != version) return nullptr;
  Row row = node.mapped().row;
  keep(std::move(node.key()), row, version);
  return row;
}

void RowCache::keep(std::string key, Row row, std::uint64_t version) {
  const std::size_t bytes = key.size() + row->size() + kOverheadBytes;
  if (bytes > kMaxRowBytes) return;
  if (young_bytes_ + bytes > kGenerationBytes) {
    old_ = std::exchange(young_, {});
    young_bytes_ = 0;
  }
  young_bytes_ += bytes;  // of one that is replaced, too: it only becomes old the sooner
  young_.insert_or_assign(std::move(key), Kept{std::move(row), version});
}

}  // namespace wherry::kv
