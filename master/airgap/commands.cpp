#include "master/airgap/commands.h"

#include <cstdio>
#include <filesystem>
#include <memory>

#include "common/async/run_on_loop.h"
#include "common/base/files.h"
#include "common/bundle/offline.h"
#include "common/daemon/daemon.h"
#include "common/http/place.h"
#include "master/airgap/exporter.h"
#include "master/airgap/importer.h"

namespace wherry::master {
namespace {

struct ExportOptions {
  std::string server;
  std::string ca_file;
  std::string out;
  std::uint64_t since = 0;
};

struct ImportOptions {
  std::string file;
  std::string data;
  std::string key;
};

int ended(std::string_view command, const Result<std::string>& outcome) {
  if (outcome) {
    std::printf("%s\n", outcome->c_str());
    return kExitOk;
  }
  std::fprintf(stderr, "wherry-master %s: %s\n", std::string(command).c_str(), outcome.error().to_string().c_str());
  return bundle::exit_code(outcome.error());
}

/// The finished file takes the name that was asked for; until then there is FILE.part.
Result<void> put_in_place(const std::string& part, const std::string& out) {
  auto renamed = rename_file(part, out);
  if (!renamed) return renamed.error();
  const auto folder = std::filesystem::path(out).parent_path().string();
  return sync_folder(folder.empty() ? "." : folder);
}

Task<Result<std::string>> export_to(const std::string& part, const ExportOptions& options, Pool& disk) {
  auto tar = co_await disk.run([&part] { return bundle::TarWriter::create(part); });
  if (!tar) co_return tar.error();
  http::ClientOptions with;
  with.ca_file = options.ca_file;
  http::Client client(Loop::current(), std::move(with));
  std::string server = options.server;
  while (server.ends_with('/')) server.pop_back();
  Exporter exporter(client, std::move(server), options.since, *tar, disk);
  auto written = co_await exporter.run();
  if (!written) co_return written.error();
  auto placed = co_await disk.run([&] { return put_in_place(part, options.out); });
  if (!placed) co_return placed.error();
  const auto& counts = exporter.counts();
  co_return fmt::format("{}: {} manifests, {} blobs, {} bytes; the next one: --since {}", options.out, counts.manifests,
                        counts.blobs, tar->size_bytes(), counts.position);
}

Task<int> export_all(const ExportOptions& options, Pool& disk) {
  const std::string part = options.out + ".part";
  auto outcome = co_await export_to(part, options, disk);
  if (!outcome) {
    auto removed = co_await disk.run([&part] { return remove_file(part); });
    if (!removed) std::fprintf(stderr, "wherry-master export: %s\n", removed.error().message().c_str());
  }
  co_return ended("export", outcome);
}

int export_bundle(const ExportOptions& options) {
  if (!http::is_server_url(options.server)) {
    std::fprintf(stderr, "wherry-master export: --server: '%s' is not a URL such as https://registry.example:5000\n",
                 options.server.c_str());
    return kExitUsage;
  }
  Pool disk("disk", 1);
  return run_on_loop([&] { return export_all(options, disk); });
}

Task<int> import_file(const ImportOptions& options, Pool& disk, Metrics& metrics) {
  Result<std::string> outcome = std::string();
  auto storage = co_await bundle::open_offline(options.data, disk, metrics);
  if (storage) {
    (*storage)->start();
    Importer importer(**storage, disk, options.key);
    outcome = co_await importer.run(options.file);
    co_await (*storage)->stop();
  } else {
    outcome = storage.error();
  }
  co_return ended("import", outcome);
}

int import_bundle(const ImportOptions& options) {
  if (!options.key.empty() && !feed::PublicKey::from_hex(options.key)) {
    std::fprintf(stderr, "wherry-master import: --key: not the 64 hexadecimal digits of a key\n");
    return kExitUsage;
  }
  Pool disk("disk", 2);
  Metrics metrics("master");
  return run_on_loop([&] { return import_file(options, disk, metrics); });
}

}  // namespace

void add_airgap_commands(Command& program) {
  auto out = std::make_shared<ExportOptions>();
  Command exporting =
      program.command("export", "write what a running master has into a bundle, for places without a link",
                      [out] { return export_bundle(*out); });
  exporting.option("--server", out->server, "URL of the master").required();
  exporting.option("--ca-file", out->ca_file, "PEM of who vouches for its certificate");
  exporting.option("--since", out->since, "only what came after this position of its feed");
  exporting.option("--out", out->out, "the file").required();
  auto in = std::make_shared<ImportOptions>();
  Command importing =
      program.command("import", "take in a bundle of another master", [in] { return import_bundle(*in); });
  importing.option("FILE", in->file, "the bundle").required();
  importing.option("--data", in->data, "data directory of a master that does not run").required();
  importing.option("--key", in->key, "that master's key (its `feed-key`), in the place of the one known here");
}

}  // namespace wherry::master
