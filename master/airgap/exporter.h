// Exporter: writes what a running master has into a bundle.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/async/pool.h"
#include "common/bundle/layout.h"
#include "common/bundle/names.h"
#include "common/bundle/tar_writer.h"
#include "common/feed/snapshot_intake.h"
#include "common/http/client.h"
#include "common/oci/manifest.h"

namespace wherry::master {

/// A client of the master's public interfaces. First the names, as the master signed them, then the manifests that they
/// name, then the blobs of those, each once; bodies go from the socket to the file in pieces. A manifest that is gone
/// by the time that it is asked for makes it begin anew, for the names would promise it. On one loop.
class Exporter {
 public:
  static constexpr int kAttempts = 5;
  static constexpr int kTries = 3;  ///< of one blob
  static constexpr std::chrono::milliseconds kBetween{500};

  /// `server` is a URL without a slash at its end. `since`: names up to that position are left out, and blobs that
  /// manifests from before it have in the same repositories; 0: all.
  Exporter(http::Client& client, std::string server, std::uint64_t since, bundle::TarWriter& tar, Pool& disk)
      : client_(client), server_(std::move(server)), since_(since), tar_(tar), disk_(disk) {}

  /// Writes all of it. Errors: kInvalid when the master cannot give that, kUpstream, kTimeout, kCorrupt for other bytes
  /// than those of a digest, kNoSpace, kIo.
  Task<Result<void>> run();

  struct Counts {
    std::uint64_t position = 0;
    std::size_t manifests = 0;
    std::size_t blobs = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Described {
    std::string media_type;
    std::uint64_t size = 0;
  };
  using InRepository = std::pair<RepositoryName, Digest>;

  Task<Result<bool>> attempt();
  Task<Result<void>> write_names(bundle::Names& names);
  Task<Result<void>> write_records(const std::string& target, bundle::Names& names);
  Task<Result<bool>> write_manifests(const bundle::Names& names);
  Task<Result<std::optional<Manifest>>> write_manifest(const RepositoryName& repository, const Digest& digest);
  /// Blobs that the other side has already.
  Task<Result<void>> leave_out_older(const bundle::Names& names);
  Task<Result<void>> write_blobs();
  Task<Result<bool>> write_blob(const RepositoryName& repository, const Digest& digest);
  Task<Result<bool>> write_blob_once(const std::string& url, const Digest& digest);
  Task<Result<void>> write_index(const bundle::Names& names);

  Task<Result<std::unique_ptr<http::Transfer>>> get(const std::string& target, bool is_manifest = false);
  /// Nothing when it is not there.
  Task<Result<std::optional<std::pair<Manifest, std::string>>>> manifest(const RepositoryName& repository,
                                                                         const Digest& digest);
  Task<Result<void>> add(std::string_view name, std::string content);
  Task<Result<void>> append(std::string_view bytes);

  http::Client& client_;
  const std::string server_;
  const std::uint64_t since_;
  bundle::TarWriter& tar_;
  Pool& disk_;
  bundle::Facts facts_;
  std::map<Digest, Described> manifests_;  // that are in the bundle
  std::string list_;                       // wherry/manifests
  std::set<InRepository> needed_;          // blobs
  std::set<InRepository> optional_;        // blobs that may be elsewhere
  Counts counts_;
};

}  // namespace wherry::master
