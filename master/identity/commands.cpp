#include "master/identity/commands.h"

#include <cstdio>
#include <memory>
#include <string>

#include "common/daemon/daemon.h"
#include "master/identity/token_keys.h"

namespace wherry::identity {
namespace {

struct TokenKeyOptions {
  std::string data;
  bool rotate = false;
};

int token_key(const TokenKeyOptions& options) {
  const std::string file = token_keys_file(options.data);
  const auto failed = [](const Error& error) {
    std::fprintf(stderr, "wherry-master token-key: %s\n", error.to_string().c_str());
    return error.kind() == ErrorKind::kInvalid ? kExitUsage : kExitIo;
  };
  if (options.rotate) {
    auto rotated = TokenKeys::rotate(file);
    if (!rotated) return failed(rotated.error());
  }
  auto keys = TokenKeys::load(file);
  if (!keys) return failed(keys.error());
  const char* meaning = "signs";
  for (const auth::PublicJwtKey& key : keys->public_keys()) {
    std::printf("%s %s\n", key.kid().c_str(), meaning);
    meaning = std::string_view(meaning) == "signs" ? "is next" : "was before";
  }
  return kExitOk;
}

}  // namespace

void add_identity_commands(Command& program) {
  auto options = std::make_shared<TokenKeyOptions>();
  auto key =
      program.command("token-key", "the keys that tokens are signed with", [options] { return token_key(*options); });
  key.option("--data", options->data, "data directory of a master that does not run").required();
  key.flag("--rotate", options->rotate, "the next one, which all tiers know, signs from now on");
}

}  // namespace wherry::identity
