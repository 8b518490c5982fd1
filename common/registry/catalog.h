// What the pull side of /v2/ asks of a role: names (Catalog) and bytes (Blobs).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/http/body.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::registry {

/// A manifest as it was pushed. A copy shares its bytes.
class StoredManifest {
 public:
  StoredManifest(Digest digest, std::string_view media_type, std::string bytes)
      : digest_(digest), row_(std::make_shared<const std::string>(std::move(bytes.append(media_type)))) {
    bytes_ = std::string_view(*row_).substr(0, row_->size() - media_type.size());
    media_type_ = std::string_view(*row_).substr(bytes_.size());
  }
  /// Both views are into `row`.
  StoredManifest(Digest digest, std::string_view media_type, std::string_view bytes,
                 std::shared_ptr<const std::string> row)
      : digest_(digest), media_type_(media_type), bytes_(bytes), row_(std::move(row)) {}

  const Digest& digest() const { return digest_; }
  std::string_view media_type() const { return media_type_; }
  std::string_view bytes() const { return bytes_; }
  /// What keeps the two.
  const std::shared_ptr<const std::string>& row() const { return row_; }

  /// Why this answer may be out of date, for a Warning header; empty when it is not.
  const std::string& warning() const { return warning_; }
  void warn(std::string text) { warning_ = std::move(text); }
  /// How long ago this was known to be right, where that is not now.
  const std::optional<std::chrono::seconds>& age() const { return age_; }
  void set_age(std::chrono::seconds age) { age_ = age; }
  /// The position of the feed as of which this is right, where a feed is followed.
  const std::optional<std::uint64_t>& position() const { return position_; }
  void set_position(std::optional<std::uint64_t> position) { position_ = position; }

 private:
  Digest digest_;
  std::string_view media_type_;
  std::string_view bytes_;
  std::shared_ptr<const std::string> row_;
  std::string warning_;
  std::optional<std::chrono::seconds> age_;
  std::optional<std::uint64_t> position_;
};

/// A page of names in lexical order.
class NamePage {
 public:
  NamePage(std::vector<std::string> names, bool more) : names_(std::move(names)), more_(more) {}
  const std::vector<std::string>& names() const { return names_; }
  bool more() const { return more_; }

  /// As StoredManifest::warning().
  const std::string& warning() const { return warning_; }
  void warn(std::string text) { warning_ = std::move(text); }
  /// As those of StoredManifest.
  const std::optional<std::chrono::seconds>& age() const { return age_; }
  void set_age(std::chrono::seconds age) { age_ = age; }
  const std::optional<std::uint64_t>& position() const { return position_; }
  void set_position(std::uint64_t position) { position_ = position; }

 private:
  std::vector<std::string> names_;
  bool more_;
  std::string warning_;
  std::optional<std::chrono::seconds> age_;
  std::optional<std::uint64_t> position_;
};

/// Referrers of one manifest: their descriptors as JSON.
class ReferrerPage {
 public:
  ReferrerPage(std::vector<std::string> descriptors, std::string last)
      : descriptors_(std::move(descriptors)), last_(std::move(last)) {}
  const std::vector<std::string>& descriptors() const { return descriptors_; }
  /// Where the next page starts, for its `last`; empty when there is none.
  const std::string& last() const { return last_; }

  /// As StoredManifest::warning().
  const std::string& warning() const { return warning_; }
  void warn(std::string text) { warning_ = std::move(text); }

 private:
  std::vector<std::string> descriptors_;
  std::string last_;
  std::string warning_;
};

/// Some of a repository's manifests, by their digests.
class ManifestPage {
 public:
  ManifestPage(std::vector<Digest> digests, std::string last) : digests_(std::move(digests)), last_(std::move(last)) {}
  const std::vector<Digest>& digests() const { return digests_; }
  /// Where the next page starts, for its `last`; empty when there is none. A page that has a next one may be empty.
  const std::string& last() const { return last_; }

 private:
  std::vector<Digest> digests_;
  std::string last_;
};

/// Which of a repository's manifests are listed.
struct ManifestQuery {
  bool untagged = false;       ///< those alone that neither a tag nor another manifest leads to
  std::optional<Digest> only;  ///< that one, if it is among them
  std::string last;            ///< of the page before
  std::size_t limit = 0;
};

/// The media type of a list of a repository's manifests.
inline constexpr std::string_view kManifestListType = "application/vnd.wherry.manifests.v1+json";

/// A request's header: who asks follows the feed, and wants to know the position of an answer.
inline constexpr std::string_view kFollowsHeader = "wherry-follows";
/// An answer's header: its position.
inline constexpr std::string_view kPositionHeader = "wherry-position";

/// The most names or referrers in one page (reliability notes, F3).
constexpr std::size_t kMaxPage = 1000;

/// The names of a registry. Parameters outlive the task that is given.
class Catalog {
 public:
  virtual ~Catalog() = default;
  /// Errors: kManifestUnknown, kNameUnknown; kUpstream, kUnavailable, kTimeout at a node.
  virtual Task<Result<StoredManifest>> manifest(const RepositoryName& repository, const Reference& reference) = 0;
  /// Tags after `last`, at most `limit`. Errors: kNameUnknown.
  virtual Task<Result<NamePage>> tags(const RepositoryName& repository, std::string last, std::size_t limit) = 0;
  virtual Task<Result<NamePage>> repositories(std::string last, std::size_t limit) = 0;
  /// Manifests whose subject is `digest`; all types when `artifact_type` is empty. None is no error.
  virtual Task<Result<ReferrerPage>> referrers(const RepositoryName& repository, const Digest& digest,
                                               std::string artifact_type, std::string last, std::size_t limit) = 0;
  /// Which manifests a repository has; none when it is not there. Errors: kInvalid for a `last` that is none; kNotFound
  /// where that is not known.
  virtual Task<Result<ManifestPage>> manifests(const RepositoryName& /*repository*/, const ManifestQuery& /*query*/) {
    co_return Error(ErrorKind::kNotFound, "which manifests a repository has is known to its master alone");
  }
  /// Of the feed, for answers that do not say theirs: what was answered before is of no later one. Nothing where there
  /// is no feed.
  virtual Task<Result<std::optional<std::uint64_t>>> position() { co_return std::optional<std::uint64_t>(); }
};

/// The bytes of a registry.
class Blobs {
 public:
  virtual ~Blobs() = default;
  /// Errors: kBlobUnknown when this repository does not hold it, whatever others do.
  virtual Task<Result<std::unique_ptr<http::Body>>> open(const RepositoryName& repository, const Digest& digest) = 0;
  /// The size alone. Errors: as open().
  virtual Task<Result<std::uint64_t>> size(const RepositoryName& repository, const Digest& digest) = 0;
};

}  // namespace wherry::registry
