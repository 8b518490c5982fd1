// StoreDisk: libtorrent's way to the files of blobs. Internal to this room.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <libtorrent/disk_interface.hpp>
#include <libtorrent/io_context.hpp>
#include <libtorrent/storage_defs.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/swarm/blob_file.h"
#include "common/swarm/piece_buffers.h"

namespace wherry::swarm {

inline std::uint32_t number_of(libtorrent::piece_index_t piece) {
  return static_cast<std::uint32_t>(static_cast<int>(piece));
}

/// Asked on libtorrent's network thread; what may block is done by two threads of its own, and answered by a message
/// to the network thread. Blocks wait in memory until their piece is whole: then it is written by one call and hashed
/// without being read back. A block that is in memory is read at once.
class StoreDisk final : public libtorrent::disk_interface, libtorrent::buffer_allocator_interface {
 public:
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMostQueuedBytes = std::size_t{16} << 20;  ///< of writes; libtorrent waits beyond

  StoreDisk(libtorrent::io_context& network, std::shared_ptr<BlobFiles> files);
  ~StoreDisk() override;

  libtorrent::storage_holder new_torrent(const libtorrent::storage_params& params,
                                         const std::shared_ptr<void>& torrent) override;
  void remove_torrent(libtorrent::storage_index_t index) override;
  void async_read(libtorrent::storage_index_t index, const libtorrent::peer_request& request,
                  std::function<void(libtorrent::disk_buffer_holder, const libtorrent::storage_error&)> handler,
                  libtorrent::disk_job_flags_t flags) override;
  bool async_write(libtorrent::storage_index_t index, const libtorrent::peer_request& request, const char* bytes,
                   std::shared_ptr<libtorrent::disk_observer> observer,
                   std::function<void(const libtorrent::storage_error&)> handler,
                   libtorrent::disk_job_flags_t flags) override;
  void async_hash(
      libtorrent::storage_index_t index, libtorrent::piece_index_t piece,
      libtorrent::span<libtorrent::sha256_hash> leaves, libtorrent::disk_job_flags_t flags,
      std::function<void(libtorrent::piece_index_t, const libtorrent::sha1_hash&, const libtorrent::storage_error&)>
          handler) override;
  void async_hash2(
      libtorrent::storage_index_t index, libtorrent::piece_index_t piece, int offset,
      libtorrent::disk_job_flags_t flags,
      std::function<void(libtorrent::piece_index_t, const libtorrent::sha256_hash&, const libtorrent::storage_error&)>
          handler) override;
  void async_move_storage(
      libtorrent::storage_index_t index, std::string path, libtorrent::move_flags_t flags,
      std::function<void(libtorrent::status_t, const std::string&, const libtorrent::storage_error&)> handler) override;
  void async_release_files(libtorrent::storage_index_t index, std::function<void()> handler) override;
  void async_check_files(libtorrent::storage_index_t index, const libtorrent::add_torrent_params* resume_data,
                         libtorrent::aux::vector<std::string, libtorrent::file_index_t> links,
                         std::function<void(libtorrent::status_t, const libtorrent::storage_error&)> handler) override;
  void async_stop_torrent(libtorrent::storage_index_t index, std::function<void()> handler) override;
  void async_rename_file(
      libtorrent::storage_index_t index, libtorrent::file_index_t file, std::string name,
      std::function<void(const std::string&, libtorrent::file_index_t, const libtorrent::storage_error&)> handler)
      override;
  void async_delete_files(libtorrent::storage_index_t index, libtorrent::remove_flags_t options,
                          std::function<void(const libtorrent::storage_error&)> handler) override;
  void async_set_file_priority(
      libtorrent::storage_index_t index,
      libtorrent::aux::vector<libtorrent::download_priority_t, libtorrent::file_index_t> priorities,
      std::function<void(const libtorrent::storage_error&,
                         libtorrent::aux::vector<libtorrent::download_priority_t, libtorrent::file_index_t>)>
          handler) override;
  void async_clear_piece(libtorrent::storage_index_t index, libtorrent::piece_index_t piece,
                         std::function<void(libtorrent::piece_index_t)> handler) override;
  void update_stats_counters(libtorrent::counters&) const override {}
  std::vector<libtorrent::open_file_state> get_status(libtorrent::storage_index_t) const override { return {}; }
  void abort(bool wait) override;
  void submit_jobs() override {}
  void settings_updated() override {}

 private:
  /// Handlers are moved and never copied: spans that came with them point into what they own.
  using Job = std::move_only_function<void()>;
  void free_disk_buffer(char* bytes) override;
  const std::shared_ptr<BlobFile>& file(libtorrent::storage_index_t index) const;
  void enqueue(Job job);
  void work();
  void answer(Job handler);
  /// A write of so many bytes is enqueued after this.
  void will_write(std::size_t bytes);
  void wrote(std::size_t bytes);
  /// Whether too much waits for the disk; then `observer` is told when that is over.
  bool must_wait(const std::shared_ptr<libtorrent::disk_observer>& observer);
  /// Of a piece of which begin_write was asked.
  void write(std::shared_ptr<BlobFile> into, std::uint32_t piece, std::uint64_t offset, std::string bytes,
             std::move_only_function<void(const libtorrent::storage_error&)> then);
  /// What came of a piece that is not whole, as far as it may be written.
  void write_blocks(const std::shared_ptr<BlobFile>& into, std::uint32_t piece, const PieceBuffer& came);

  libtorrent::io_context& network_;
  const std::shared_ptr<BlobFiles> files_;
  std::vector<std::shared_ptr<BlobFile>> torrents_;  // network thread
  std::vector<std::size_t> free_places_;             // network thread
  PieceBuffers unwritten_;                           // network thread
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<Job> queue_;                                                    // under mutex_
  std::size_t queued_bytes_ = 0;                                             // under mutex_
  std::vector<std::weak_ptr<libtorrent::disk_observer>> waiting_observers_;  // under mutex_
  bool ending_ = false;                                                      // under mutex_
  std::vector<std::thread> threads_;
};

}  // namespace wherry::swarm
