// UploadState: what must be kept to go on with a file that was begun before a restart.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/oci/hasher.h"
#include "common/store/blob_row.h"

namespace wherry::store {

/// How far a BlobWriter got: bytes, the state of its hash, and the checksums of the whole blocks behind it. The caller
/// keeps it (encoded) beside the upload session, after BlobWriter::sync().
class UploadState {
 public:
  UploadState(Hasher hasher, std::vector<std::uint64_t> whole_blocks);

  std::uint64_t size() const { return hasher_.size(); }
  const Hasher& hasher() const { return hasher_; }
  const std::vector<std::uint64_t>& whole_blocks() const { return whole_blocks_; }

  /// Version 1: the hash's own saved form and the checksums; about 250 bytes and 8 a MiB.
  std::string encode() const;
  /// Errors: kCorrupt for anything that encode() does not write.
  static Result<UploadState> decode(std::string_view encoded);

 private:
  Hasher hasher_;
  std::vector<std::uint64_t> whole_blocks_;
};

}  // namespace wherry::store
