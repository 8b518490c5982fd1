// Upstream: a registry that this node asks, its parent above all, over the distribution protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/http/client.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "common/registry/catalog.h"

namespace wherry::node {

struct UpstreamOptions {
  std::string url;      ///< http://host:port or https://..., without /v2
  std::string ca_file;  ///< PEM; empty: the system's
  std::chrono::milliseconds connect_time{5'000};
  std::chrono::seconds silence{30};  ///< Without a byte it is given up; at least a second.
};

/// What an upstream says of a manifest without its bytes.
class ManifestHead {
 public:
  explicit ManifestHead(std::optional<Digest> digest) : digest_(digest) {}
  /// Nothing when the upstream does not say (then the manifest has to be fetched).
  const std::optional<Digest>& digest() const { return digest_; }

 private:
  std::optional<Digest> digest_;
};

/// A blob on its way from an upstream.
class BlobSource {
 public:
  BlobSource(std::unique_ptr<http::Transfer> transfer, std::uint64_t offset, std::optional<std::uint64_t> size)
      : transfer_(std::move(transfer)), offset_(offset), size_(size) {}
  http::Transfer& transfer() { return *transfer_; }
  /// Where in the blob its bytes start: 0 when the upstream sends all of it although a range was asked for.
  std::uint64_t offset() const { return offset_; }
  /// Of the whole blob; nothing when the upstream does not say.
  std::optional<std::uint64_t> size() const { return size_; }

 private:
  std::unique_ptr<http::Transfer> transfer_;
  std::uint64_t offset_;
  std::optional<std::uint64_t> size_;
};

/// An upstream as seen from any loop: each has a client of its own. Errors of all: kUpstream and kTimeout when it is
/// down (cannot be reached, 429, 5xx, no sense), kDenied for 401 and 403, and the kind of "not there" that each names:
/// the three are never mixed up.
class Upstream {
 public:
  Upstream(UpstreamOptions options, const std::vector<Loop*>& loops);
  ~Upstream();

  const std::string& url() const { return options_.url; }

  /// Errors: kManifestUnknown.
  Task<Result<ManifestHead>> head_manifest(const RepositoryName& repository, const Reference& reference);
  /// The bytes, checked: against the digest asked for, else against the one that the answer states; an answer to a tag
  /// that states none must be a manifest that can be read. Errors: kManifestUnknown; kUpstream for what fails the
  /// check.
  Task<Result<registry::StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference);
  /// Errors: kBlobUnknown.
  Task<Result<std::uint64_t>> blob_size(const RepositoryName& repository, const Digest& digest);
  /// Starts to fetch a blob from `offset`. Errors: kBlobUnknown; kUpstream when what comes cannot be that blob.
  Task<Result<BlobSource>> blob(const RepositoryName& repository, const Digest& digest, std::uint64_t offset);
  /// Errors: kNameUnknown.
  Task<Result<registry::NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit);
  Task<Result<registry::NamePage>> repositories(std::string last, std::size_t limit);
  /// Asks the fallback tag where the upstream has no referrers API.
  Task<Result<registry::ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                                 std::string artifact_type, std::string last, std::size_t limit);

  /// Ends whatever is on its way, and all that is asked later, with kCancelled.
  Task<void> cancel();
  /// Drops the clients; each on its loop. Nothing may be on its way.
  Task<void> close();

 private:
  http::Client& client();
  std::string v2(const RepositoryName& repository, std::string_view rest) const;
  Task<Result<std::unique_ptr<http::Transfer>>> ask(http::ClientRequest request, ErrorKind not_found);
  Task<Result<registry::NamePage>> names(std::string url, std::string member, ErrorKind not_found);
  Task<Result<registry::ReferrerPage>> fallback_referrers(const RepositoryName& repository, const Digest& digest,
                                                          std::string artifact_type);

  UpstreamOptions options_;
  std::vector<Loop*> loops_;
  std::vector<std::unique_ptr<http::Client>> clients_;
};

/// True when an error says nothing about the content, only that nobody could be asked.
inline bool is_down(const Error& error) {
  return error.kind() == ErrorKind::kUpstream || error.kind() == ErrorKind::kTimeout;
}

}  // namespace wherry::node
