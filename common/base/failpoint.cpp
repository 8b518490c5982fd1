#include "common/base/failpoint.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string>

#include "common/base/bytes.h"

namespace wherry {
namespace {

struct Armed {
  std::string name;
  std::uint64_t nth = 1;
};

Armed read_environment() {
  Armed armed;
  const char* text = std::getenv("WHERRY_FAILPOINT");  // NOLINT(concurrency-mt-unsafe): nobody sets it at run time
  if (text == nullptr) return armed;
  armed.name = text;
  if (const auto colon = armed.name.find(':'); colon != std::string::npos) {
    armed.nth = parse_decimal(std::string_view(armed.name).substr(colon + 1)).value_or(1);
    armed.name.resize(colon);
  }
  return armed;
}

}  // namespace

void failpoint(std::string_view name) {
  static const Armed armed = read_environment();
  static std::atomic<std::uint64_t> reached{0};
  if (armed.name.empty() || armed.name != name) [[likely]]
    return;
  if (reached.fetch_add(1) + 1 == armed.nth) ::kill(::getpid(), SIGKILL);
}

}  // namespace wherry
