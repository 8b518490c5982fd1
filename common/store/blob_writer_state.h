// The file under a BlobWriter. Internal to this room.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/async/event.h"
#include "common/async/task.h"
#include "common/base/unique_fd.h"
#include "common/store/blob_core.h"
#include "common/store/blob_writer.h"

namespace wherry::store {

/// Owned by its writer and by the buffer in work, whichever ends later. While a buffer is in work only the pool's
/// thread touches `hasher`, `blocks`, `written` and the file; the loop has the rest, and all of it in between.
class BlobWriter::State {
 public:
  State(std::shared_ptr<BlobStore::Core> store, std::string file_name, UniqueFd opened, Hasher begun)
      : core(std::move(store)),
        name(std::move(file_name)),
        file(std::move(opened)),
        hasher(std::move(begun)),
        written(hasher.size()),
        taken(written) {}

  /// Starts writing and hashing `buffer` on the pool; only when nothing is in work.
  static void start(const std::shared_ptr<State>& self, Buffer buffer);
  /// Waits until nothing is in work.
  Task<void> settled();
  Result<void> write(std::span<const std::byte> bytes);
  /// What is in the file behind `written`.
  Result<void> take_in(std::uint64_t bytes);
  Result<void> sync();

  const std::shared_ptr<BlobStore::Core> core;
  const std::string name;
  UniqueFd file;  ///< none once committed or discarded
  Hasher hasher;
  BlockChecksums blocks;
  std::uint64_t written;
  std::move_only_function<void(std::uint64_t)> when_written;
  std::uint64_t write_back_from = 0;
  std::optional<std::uint64_t> synced;  ///< how much is on the disk, if that is known
  std::uint64_t taken;
  std::optional<Error> failure;
  bool working = false;

 private:
  void hash(std::span<const std::byte> bytes);
  struct Background;
  static Background work(std::shared_ptr<State> self, Buffer buffer);
  Event idle_;
};

}  // namespace wherry::store
