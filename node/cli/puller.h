// Puller: pulls images through a node as a client would, so that the node has them.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "common/http/client.h"
#include "common/oci/manifest.h"
#include "common/oci/platforms.h"
#include "node/cli/image_name.h"
#include "node/cli/progress.h"

namespace wherry::node {

/// Manifests first, then configs and layers, a few at a time; every digest is checked, no byte is kept. What several
/// images share is asked for once. One loop.
class Puller {
 public:
  static constexpr std::size_t kAtATime = 4;   ///< blobs
  static constexpr int kTries = 3;             ///< of each request
  static constexpr std::size_t kMaxDepth = 4;  ///< of indexes in indexes

  /// `node` is the URL of a node, without /v2.
  Puller(http::Client& client, std::string node, PlatformChoice platforms, Progress& progress)
      : client_(client), node_(std::move(node)), platforms_(std::move(platforms)), progress_(progress) {}

  /// True when all of it is at the node. Says each failure in a line.
  Task<bool> pull(const ImageName& image);

 private:
  struct Wanted {
    Digest digest;
    std::optional<std::uint64_t> size;
  };
  struct Pulling;

  Task<Result<void>> collect(Pulling& pulling, Reference reference, std::size_t depth);
  Task<Result<Manifest>> manifest(const RepositoryName& repository, const Reference& reference);
  Task<Result<Manifest>> manifest_once(const std::string& url, const Reference& reference);
  Task<void> take_blobs(Pulling& pulling);
  Task<Result<void>> blob(const RepositoryName& repository, const Wanted& wanted);
  Task<Result<void>> blob_once(const std::string& url, const Wanted& wanted, std::uint64_t& received);
  Task<Result<std::unique_ptr<http::Transfer>>> get(const std::string& url, bool is_manifest);

  http::Client& client_;
  const std::string node_;
  const PlatformChoice platforms_;
  Progress& progress_;
  std::unordered_set<std::string> seen_;  // repository and digest
};

}  // namespace wherry::node
