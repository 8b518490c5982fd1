// The tables of names in the ordered store: keys and rows. Keys start with a letter of their table; a repository's name
// ends with a NUL (no name holds one); digests are in their binary form, whose first byte tells its length.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::registry::tables {

std::string repository_key(const RepositoryName& repository);  ///< R repo -> when it was made
std::string repositories_prefix();
std::string tags_prefix();
std::string tag_key(const RepositoryName& repository, std::string_view tag);  ///< t repo 0 tag -> digest
std::string tags_prefix(const RepositoryName& repository);
/// T repo 0 digest tag -> nothing: which tags name a manifest
std::string tagged_key(const RepositoryName& repository, const Digest& digest, std::string_view tag);
std::string tagged_prefix(const RepositoryName& repository, const Digest& digest);
std::string manifests_prefix();
std::string manifest_key(const RepositoryName& repository, const Digest& digest);  ///< m repo 0 digest -> ManifestRow
std::string manifests_prefix(const RepositoryName& repository);
std::string member_key(const RepositoryName& repository, const Digest& digest);  ///< b repo 0 digest -> nothing
std::string members_prefix(const RepositoryName& repository);
std::string holders_prefix();
std::string holder_key(const Digest& digest, const RepositoryName& repository);  ///< o digest repo -> nothing
std::string holders_prefix(const Digest& digest);
std::string blob_key(const Digest& digest);  ///< B digest -> store::BlobRow
std::string blobs_prefix();
/// p child repo 0 parent -> nothing: what a manifest needs
std::string reference_key(const Digest& child, const RepositoryName& repository, const Digest& parent);
std::string references_prefix(const Digest& child, const RepositoryName& repository);
/// r repo 0 subject referrer -> ReferrerRow
std::string referrer_key(const RepositoryName& repository, const Digest& subject, const Digest& referrer);
std::string referrers_prefix(const RepositoryName& repository, const Digest& subject);
std::string upload_key(std::string_view id);  ///< u id -> the session's row
std::string uploads_prefix();
/// E kind number -> a piece of the order in which a node's blobs ('b') and manifests ('m') leave
std::string order_key(char kind, std::uint32_t number);
std::string order_prefix(char kind);
/// v repo 0 tag -> when a node's upstream last said what the tag means, in ms since 1970
std::string validated_key(const RepositoryName& repository, std::string_view tag);
std::string torrent_key(const Digest& digest);  ///< w digest -> swarm::Torrent
std::string scrub_key();                        ///< S -> the key of the blob that was checked last

/// A manifest as stored: its media type, then its bytes.
std::string encode_manifest(std::string_view media_type, std::string_view bytes);
struct ManifestRow {
  std::string_view media_type;
  std::string_view bytes;
};
/// Views into `row`. Errors: kCorrupt.
Result<ManifestRow> decode_manifest(std::string_view row);

/// A referrer as stored: its artifact type, for filtering, then its descriptor as JSON.
std::string encode_referrer(std::string_view artifact_type, std::string_view descriptor);
struct ReferrerRow {
  std::string_view artifact_type;
  std::string_view descriptor;
};
Result<ReferrerRow> decode_referrer(std::string_view row);

/// Takes a binary digest off the front of `key`. Errors: kCorrupt.
Result<Digest> take_digest(std::string_view& key);

}  // namespace wherry::registry::tables
