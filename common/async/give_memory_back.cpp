#include "common/async/give_memory_back.h"

#include <malloc.h>

#include "common/base/log.h"

namespace wherry {

Task<void> give_memory_back(Pool& pool) {
  const auto trim = []() -> Result<void> {
    ::malloc_trim(0);
    return {};
  };
  auto trimmed = co_await pool.run(trim);
  if (!trimmed) log::debug("memory is not given back now", {{"why", trimmed.error().to_string()}});
}

}  // namespace wherry
