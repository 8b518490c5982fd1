// BlobFile: the file of a blob while a torrent uses it. Internal to this room.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/swarm/torrent.h"
#include "common/swarm/transfer_state.h"

namespace wherry::swarm {

/// Says what may be written, and lets a piece be hashed only once all of it is in the file. Any thread.
class BlobFile {
 public:
  BlobFile(UniqueFd file, const Torrent& torrent, std::shared_ptr<TransferState> state)
      : file_(std::move(file)), torrent_(torrent), state_(std::move(state)), writes_(torrent.pieces()) {}

  int fd() const { return file_.get(); }
  const Torrent& torrent() const { return torrent_; }
  TransferState& state() const { return *state_; }

  /// False when nothing may be written there (any more): the piece is right already, or who owns the file said stop.
  bool begin_write(std::uint32_t piece) { return begin(piece, false); }
  /// The same for all of a piece at once: false as well while anything else is being written to it.
  bool begin_whole_write(std::uint32_t piece) { return begin(piece, true); }
  /// Runs what waited for it.
  void end_write(std::uint32_t piece);
  /// Runs `work` once nothing is being written to that piece: at once, or by who ends the last write.
  void after_writes(std::uint32_t piece, std::move_only_function<void()> work);
  /// No write is begun after this, and none is under way once it has returned. Blocks.
  void stop_writing();
  /// Whether the file can tell nothing of a piece that is not right: blocks of it may have been dropped, or were not
  /// written for an error.
  bool is_over();

 private:
  bool begin(std::uint32_t piece, bool alone);

  const UniqueFd file_;
  const Torrent torrent_;
  const std::shared_ptr<TransferState> state_;
  std::mutex mutex_;
  std::condition_variable quiet_;
  bool stopped_ = false;                                                                     // under mutex_
  std::vector<std::uint16_t> writes_;                                                        // by piece, under mutex_
  std::size_t writing_ = 0;                                                                  // of all, under mutex_
  std::unordered_map<std::uint32_t, std::vector<std::move_only_function<void()>>> waiting_;  // by piece, under mutex_
};

/// Files by the number that stands for each as its torrent's path: who adds a torrent puts its file here first.
class BlobFiles {
 public:
  std::string put(std::shared_ptr<BlobFile> file);
  /// Null when there is none of that number.
  std::shared_ptr<BlobFile> take(const std::string& number);

 private:
  std::mutex mutex_;
  std::uint64_t last_ = 0;                                            // under mutex_
  std::unordered_map<std::string, std::shared_ptr<BlobFile>> files_;  // under mutex_
};

}  // namespace wherry::swarm
