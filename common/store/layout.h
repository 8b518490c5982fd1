// BlobLayout: where things lie in the data directory, and the making of it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/oci/digest.h"

namespace wherry::store {

/// The folders under one data directory. Paths only, but for prepare().
///
///     format                         the version of all this, one line
///     blobs/<algorithm>/<2 hex>/<hex>  immutable, 0444
///     tmp/<name>                     on the way in; tmp/upload-<id> may be resumed after a restart
///     trash/                         on the way out
///     quarantine/<algorithm>-<hex>   found damaged; never served, never removed by itself
class BlobLayout {
 public:
  static constexpr std::string_view kFormat = "wherry-blobs 1";
  static constexpr std::string_view kUploadPrefix = "upload-";
  static constexpr std::size_t kMaxNameBytes = 128;

  explicit BlobLayout(std::string directory);

  const std::string& directory() const { return directory_; }
  std::string blob(const Digest& digest) const;
  std::string shard(const Digest& digest) const;
  std::string temporary(std::string_view name) const;
  std::string trash(std::string_view name) const;
  std::string trash_folder() const;
  std::string quarantine(const Digest& digest) const;
  std::string quarantine_folder() const;

  /// True for 1 to 128 of letters, digits, '-', '_' and '.', not starting with '.': what may be a name in tmp/.
  static bool is_name(std::string_view name);

  /// Makes what is missing and syncs it, so that a later file needs only its own folder synced; empties trash/
  /// (of folders, too: see remove_tree) and of files tmp/, except uploads whose id `keep_upload` wants. Leaves alone
  /// what it does not know. Blocks; never walks blobs/. Errors: kUnsupported when the format is another, kNoSpace, kIo.
  Result<void> prepare(const std::function<bool(std::string_view upload_id)>& keep_upload) const;

 private:
  std::string directory_;
};

}  // namespace wherry::store
