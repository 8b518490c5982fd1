// PushTarget: a registry that images are pushed to, over the distribution protocol.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/http/request_body.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "common/upstream/origin.h"

namespace wherry {

/// An upload at a target: where its next request goes, and how much the target has. The place may be kept and gone on
/// with by another process.
struct UploadPlace {
  std::string url;
  std::uint64_t offset = 0;
  std::uint64_t least_chunk_bytes = 0;  ///< what the target wants of every chunk but the last
};

/// The push side of a registry, seen from any loop. Errors of all: those of Origin::ask(); what a target says of a
/// refusal is in the message.
class PushTarget {
 public:
  explicit PushTarget(Origin& origin) : origin_(origin) {}

  const std::string& url() const { return origin_.url(); }
  Origin& origin() { return origin_; }

  /// Whether that repository of the target holds the blob.
  Task<Result<bool>> has_blob(const RepositoryName& repository, const Digest& digest);
  /// The digest that a reference has there; nothing when it is not there. A target that does not say is asked for the
  /// manifest.
  Task<Result<std::optional<Digest>>> resolve(const RepositoryName& repository, const Reference& reference);

  /// Begins an upload; nothing when the blob was mounted from `from`, another repository of the target, instead.
  Task<Result<std::optional<UploadPlace>>> begin(const RepositoryName& repository, const Digest& digest,
                                                 const std::optional<RepositoryName>& from);
  /// How far an upload is. Errors: kUploadUnknown when it is over, kUnsupported when the target does not say.
  Task<Result<UploadPlace>> ask_upload(const RepositoryName& repository, std::string url);
  /// Sends the chunk that follows. Errors: kRangeInvalid when the target has another length.
  Task<Result<UploadPlace>> send_chunk(const RepositoryName& repository, UploadPlace place,
                                       std::shared_ptr<http::RequestBody> chunk);
  /// Sends the rest (null: nothing is left) and ends the upload. Errors: kDigestInvalid, kRangeInvalid.
  Task<Result<void>> finish(const RepositoryName& repository, UploadPlace place, const Digest& digest,
                            std::shared_ptr<http::RequestBody> rest);

  /// Stores a manifest of that digest under a tag or the digest. True when the target lists it among the referrers of
  /// its subject (OCI-Subject), so that no fallback tag is needed.
  Task<Result<bool>> put_manifest(const RepositoryName& repository, const Reference& reference, const Digest& digest,
                                  std::string_view media_type, std::string_view bytes);
  /// Removes a tag, or a manifest with all its tags. Fine when it is not there. Errors: kUnsupported when the target
  /// does not do that.
  Task<Result<void>> remove(const RepositoryName& repository, const Reference& reference);

 private:
  /// Asks; the answer is one of `question.answers` or 400 and more with what the target says of it as the error.
  Task<Result<std::unique_ptr<http::Transfer>>> ask(Question question);
  Result<UploadPlace> place_of(const http::ClientHead& head, const std::string& asked) const;

  Origin& origin_;
};

/// Sends a blob to a repository of a target: a small one in one request, a large one in chunks, so that it is gone on
/// with where it broke off. `session` holds the place of an upload that was begun before (empty: none), and is kept up
/// to date; `kept` is told each time it changes, before the next chunk is sent, with how many bytes were taken since.
/// Gives the bytes that were sent and taken; 0 when it was mounted from `mount_from`.
Task<Result<std::uint64_t>> send_blob(PushTarget& target, const RepositoryName& repository, const Digest& digest,
                                      http::RequestBody& blob, std::string& session,
                                      std::optional<RepositoryName> mount_from,
                                      std::function<Task<Result<void>>(std::uint64_t)> kept);

/// Chunks are that large unless the target asks for larger ones: what a broken connection loses at most.
inline constexpr std::uint64_t kPushChunkBytes = std::uint64_t{16} << 20;

}  // namespace wherry
