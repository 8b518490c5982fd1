// WWW-Authenticate: whatever comes is read to an end, and what is chosen can be followed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/upstream/challenge.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wherry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const Challenge& challenge : parse_challenges(text)) {
    WHERRY_CHECK(!challenge.scheme.empty());
    WHERRY_CHECK(challenge.realm.size() + challenge.service.size() + challenge.scope.size() <= size);
  }
  const auto half = size / 2;
  const auto chosen = choose_challenge({text.substr(0, half), text.substr(half)});
  if (chosen) WHERRY_CHECK(chosen->scheme == "basic" || (chosen->scheme == "bearer" && !chosen->realm.empty()));

  // A realm written as a quoted string is read as it was.
  std::string quoted;
  for (const char c : text.substr(0, 1000)) {
    if (c == '"' || c == '\\') quoted.push_back('\\');
    quoted.push_back(c);
  }
  const auto back = parse_challenges("Bearer service=x,realm=\"" + quoted + "\"");
  WHERRY_CHECK(back.size() == 1 && back[0].realm == text.substr(0, 1000) && back[0].service == "x");
  return 0;
}
