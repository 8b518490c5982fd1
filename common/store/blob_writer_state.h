// The file under a BlobWriter. Internal to this room.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/async/scope.h"
#include "common/base/unique_fd.h"
#include "common/store/blob_core.h"
#include "common/store/blob_writer.h"

namespace wherry::store {

/// Owned by its writer and by the buffer in work, whichever ends later. While a buffer is in work only the pool's thread
/// touches `hasher`, `blocks`, `written` and the file; the loop has the rest, and all of it in between.
class BlobWriter::State {
 public:
  State(std::shared_ptr<BlobStore::Core> store, std::string file_name, UniqueFd opened, Hasher begun)
      : core(std::move(store)),
        name(std::move(file_name)),
        file(std::move(opened)),
        hasher(std::move(begun)),
        written(hasher.size()),
        taken(written) {}

  /// Writes and hashes one buffer on the pool, and keeps the error if there is one.
  static Task<void> work(std::shared_ptr<State> self, Buffer buffer);
  Result<void> write(std::span<const std::byte> bytes);
  Result<void> sync();
  bool idle() const { return scope.running() == 0; }

  const std::shared_ptr<BlobStore::Core> core;
  const std::string name;
  UniqueFd file;  ///< none once committed or discarded
  Hasher hasher;
  BlockChecksums blocks;
  std::uint64_t written;
  std::uint64_t write_back_from = 0;
  std::optional<std::uint64_t> synced;  ///< how much is on the disk, if that is known
  std::uint64_t taken;
  std::optional<Error> failure;
  Scope scope;
};

}  // namespace wherry::store
