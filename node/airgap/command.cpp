#include "node/airgap/command.h"

#include <cstdio>
#include <memory>

#include "common/async/run_on_loop.h"
#include "common/bundle/offline.h"
#include "common/daemon/daemon.h"
#include "node/airgap/importer.h"

namespace wherry::node {
namespace {

struct ImportOptions {
  std::string file;
  std::string data;
  std::string key;
};

Task<Result<std::string>> import_into(registry::Storage& storage, const ImportOptions& options, Pool& disk,
                                      Metrics& metrics) {
  const std::vector<Loop*> loops{&Loop::current()};
  CacheSpace space(storage, {}, loops, metrics);
  Importer importer(storage, space, disk, options.key);
  co_return co_await importer.run(options.file);
}

Task<int> import_file(const ImportOptions& options, Pool& disk, Metrics& metrics) {
  Result<std::string> outcome = std::string();
  auto storage = co_await bundle::open_offline(options.data, disk, metrics);
  if (storage) {
    (*storage)->start();
    outcome = co_await import_into(**storage, options, disk, metrics);
    co_await (*storage)->stop();
  } else {
    outcome = storage.error();
  }
  if (outcome) {
    std::printf("%s\n", outcome->c_str());
    co_return kExitOk;
  }
  std::fprintf(stderr, "wherry-node import: %s\n", outcome.error().to_string().c_str());
  co_return bundle::exit_code(outcome.error());
}

int import_bundle(const ImportOptions& options) {
  if (!options.key.empty() && !feed::PublicKey::from_hex(options.key)) {
    std::fprintf(stderr, "wherry-node import: --key: not the 64 hexadecimal digits of a key\n");
    return kExitUsage;
  }
  Pool disk("disk", 2);
  Metrics metrics("node");
  return run_on_loop([&] { return import_file(options, disk, metrics); });
}

}  // namespace

void add_import(Command& program) {
  auto options = std::make_shared<ImportOptions>();
  Command command = program.command("import", "take in a bundle that `wherry-master export` wrote",
                                    [options] { return import_bundle(*options); });
  command.option("FILE", options->file, "the bundle").required();
  command.option("--data", options->data, "data directory of a node that does not run").required();
  command.option("--key", options->key,
                 "the master's key (wherry-master feed-key), in the place of the one known here");
}

}  // namespace wherry::node
