#include "common/kv/for_each_row.h"

namespace wherry::kv {

Task<Result<void>> for_each_row(KeyValue& store, std::string prefix, const VisitRow& visit) {
  std::string after;
  while (true) {
    auto page = co_await store.scan(ScanRequest(prefix, after));
    if (!page) co_return page.error();
    for (const auto& [key, value] : page->entries) {
      auto visited = visit(key, value);
      if (!visited) co_return visited;
    }
    if (!page->more) co_return Result<void>();
    after = page->entries.back().first;
  }
}

}  // namespace wherry::kv
