// Scrub: reads one stored blob through and compares everything that is known of it. Internal to this room.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/unique_fd.h"
#include "common/oci/digest.h"
#include "common/oci/hasher.h"
#include "common/store/blob_row.h"

namespace wherry::store {

/// One pass over one file, in steps. All of it blocks.
class Scrub {
 public:
  static constexpr std::uint64_t kStepBytes = 8 * kBlockBytes;

  Scrub(std::string path, Digest digest, BlobRow row)
      : path_(std::move(path)), digest_(digest), row_(std::move(row)), hasher_(digest.algorithm()) {}

  /// The next step; false after the last one. Errors: kBlobUnknown, kCorrupt, kIo.
  Result<bool> step();

 private:
  Result<void> open();
  Result<void> check_block(std::uint64_t block);
  Error corrupt(std::string_view how) const;

  std::string path_;
  Digest digest_;
  BlobRow row_;
  Hasher hasher_;
  UniqueFd file_;
};

}  // namespace wherry::store
