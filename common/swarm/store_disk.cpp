#include "common/swarm/store_disk.h"

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <libtorrent/disk_observer.hpp>
#include <libtorrent/error_code.hpp>
#include <libtorrent/operations.hpp>
#include <libtorrent/peer_request.hpp>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/files.h"
#include "common/base/sha256.h"
#include "common/swarm/merkle.h"

namespace wherry::swarm {
namespace {

namespace lt = libtorrent;

lt::storage_error failure(int code, lt::operation_t what) {
  return {lt::error_code(code, boost::system::system_category()), lt::file_index_t(0), what};
}

/// Reads all of it, or gives an errno; EIO when the file is shorter. With RWF_NOWAIT: EAGAIN when it is not in memory.
int read_block(int fd, char* into, std::size_t bytes, std::uint64_t offset, int flags = 0) {
  std::size_t got = 0;
  while (got < bytes) {
    const iovec rest{into + got, bytes - got};
    const ssize_t n = ::preadv2(fd, &rest, 1, static_cast<off_t>(offset + got), flags);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return EIO;
    got += static_cast<std::size_t>(n);
  }
  return 0;
}

std::uint32_t place_of(lt::storage_index_t index) { return static_cast<std::uint32_t>(index); }

lt::sha256_hash leaf_of(std::string_view bytes) {
  const Sha256 hash = sha256(bytes);
  return lt::sha256_hash(reinterpret_cast<const char*>(hash.data()));
}

void hash_leaves(std::string_view piece, lt::span<lt::sha256_hash> leaves) {
  for (std::size_t i = 0; i < static_cast<std::size_t>(leaves.size()) && i * kLeafBytes < piece.size(); ++i)
    leaves[static_cast<std::ptrdiff_t>(i)] = leaf_of(piece.substr(i * kLeafBytes, kLeafBytes));
}

/// What libtorrent is to know of it; the blob's owner knows then, too.
lt::storage_error write_into(const BlobFile& file, std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto done = write_all(file.fd(), bytes, offset);
  if (done) return {};
  file.state().fail(done.error());
  return failure(done.error().kind() == ErrorKind::kNoSpace ? ENOSPC : EIO, lt::operation_t::file_write);
}

/// The same for reading.
lt::storage_error read_from(const BlobFile& file, std::span<char> into, std::uint64_t offset) {
  const int code = read_block(file.fd(), into.data(), into.size(), offset);
  if (code == 0) return {};
  file.state().fail(system_error(code, "read a piece"));
  return failure(code, lt::operation_t::file_read);
}

}  // namespace

StoreDisk::StoreDisk(lt::io_context& network, std::shared_ptr<BlobFiles> files)
    : network_(network), files_(std::move(files)) {
  for (std::size_t i = 0; i < kThreads; ++i) threads_.emplace_back([this] { work(); });
}

StoreDisk::~StoreDisk() { abort(true); }

void StoreDisk::abort(bool wait) {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_all();
  if (!wait) return;
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void StoreDisk::enqueue(Job job) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(job));
  }
  wanted_.notify_one();
}

void StoreDisk::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;  // all that was asked is done
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

void StoreDisk::answer(Job handler) { boost::asio::post(network_, std::move(handler)); }

const std::shared_ptr<BlobFile>& StoreDisk::file(lt::storage_index_t index) const { return torrents_[place_of(index)]; }

lt::storage_holder StoreDisk::new_torrent(const lt::storage_params& params, const std::shared_ptr<void>&) {
  std::shared_ptr<BlobFile> opened = files_->take(params.path);
  WHERRY_CHECK(opened != nullptr);  // each torrent is added with its file
  std::size_t place = torrents_.size();
  if (free_places_.empty()) {
    torrents_.push_back(std::move(opened));
  } else {
    place = free_places_.back();
    free_places_.pop_back();
    torrents_[place] = std::move(opened);
  }
  return {lt::storage_index_t(static_cast<std::uint32_t>(place)), *this};
}

void StoreDisk::remove_torrent(lt::storage_index_t index) {
  unwritten_.drop(place_of(index));
  torrents_[place_of(index)].reset();
  free_places_.push_back(place_of(index));
}

void StoreDisk::free_disk_buffer(char* bytes) { std::free(bytes); }

void StoreDisk::async_read(lt::storage_index_t index, const lt::peer_request& request,
                           std::function<void(lt::disk_buffer_holder, const lt::storage_error&)> handler,
                           lt::disk_job_flags_t) {
  const std::shared_ptr<BlobFile> from = file(index);
  const auto wanted = static_cast<std::size_t>(request.length);
  const Torrent& torrent = from->torrent();
  const std::uint64_t offset = torrent.offset_of(number_of(request.piece)) + static_cast<std::uint64_t>(request.start);
  // Zeros fill the last piece up, for those who ask for all of its last block.
  const auto bytes =
      static_cast<std::size_t>(std::min<std::uint64_t>(wanted, torrent.size() - std::min(offset, torrent.size())));
  auto* buffer = static_cast<char*>(std::malloc(wanted));
  if (buffer == nullptr) {
    answer([handler = std::move(handler)] { handler({}, failure(ENOMEM, lt::operation_t::alloc_cache_piece)); });
    return;
  }
  std::memset(buffer + bytes, 0, wanted - bytes);
  auto tell = [this, buffer, wanted, handler = std::move(handler)](const lt::storage_error& error) mutable {
    answer([this, buffer, wanted, error, handler = std::move(handler)] {
      lt::disk_buffer_holder held(*this, buffer, static_cast<int>(wanted));
      if (!error)
        handler(std::move(held), {});
      else
        handler({}, error);
    });
  };
  if (read_block(from->fd(), buffer, bytes, offset, RWF_NOWAIT) == 0) {
    tell({});
    return;
  }
  enqueue([from, buffer, bytes, offset, tell = std::move(tell)]() mutable {
    tell(read_from(*from, {buffer, bytes}, offset));
  });
}

bool StoreDisk::async_write(lt::storage_index_t index, const lt::peer_request& request, const char* bytes,
                            std::shared_ptr<lt::disk_observer> observer,
                            std::function<void(const lt::storage_error&)> handler, lt::disk_job_flags_t) {
  const std::shared_ptr<BlobFile>& into = file(index);
  const std::uint32_t piece = number_of(request.piece);
  const auto start = static_cast<std::uint32_t>(request.start);
  const Torrent& torrent = into->torrent();
  const std::uint64_t offset = torrent.offset_of(piece) + start;
  // What libtorrent thinks of as a file behind the blob, to fill its last piece up, is in no file.
  const std::uint64_t of_blob = std::min<std::uint64_t>(static_cast<std::uint32_t>(request.length),
                                                        torrent.size() - std::min(offset, torrent.size()));
  const std::string_view block(bytes, of_blob);
  auto tell = [this, handler = std::move(handler)](const lt::storage_error& error) mutable {
    answer([handler = std::move(handler), error] { handler(error); });
  };
  // A peer is read from again once all that it sent is answered, so what is too much is answered when it is written.
  const bool waits = must_wait(observer);
  const bool is_done =
      block.empty() || into->state().passed[piece].load() ||
      (!waits && unwritten_.put(place_of(index), piece, torrent.bytes_of(piece), start, as_bytes(block)));
  if (!is_done && into->begin_write(piece))
    write(into, piece, offset, std::string(block), std::move(tell));
  else
    tell({});
  return waits;
}

void StoreDisk::write(std::shared_ptr<BlobFile> into, std::uint32_t piece, std::uint64_t offset, std::string bytes,
                      std::move_only_function<void(const lt::storage_error&)> then) {
  will_write(bytes.size());
  enqueue([this, into = std::move(into), piece, offset, bytes = std::move(bytes), then = std::move(then)]() mutable {
    const lt::storage_error error = write_into(*into, as_bytes(bytes), offset);
    into->end_write(piece);
    wrote(bytes.size());
    then(error);
  });
}

void StoreDisk::write_blocks(const std::shared_ptr<BlobFile>& into, std::uint32_t piece, const PieceBuffer& came) {
  for (const auto& [start, bytes] : came.blocks())
    if (into->begin_write(piece))
      write(into, piece, into->torrent().offset_of(piece) + start, std::string(as_text(bytes)), [](const auto&) {});
}

void StoreDisk::will_write(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  queued_bytes_ += bytes;
}

bool StoreDisk::must_wait(const std::shared_ptr<lt::disk_observer>& observer) {
  const std::lock_guard lock(mutex_);
  if (queued_bytes_ <= kMostQueuedBytes) return false;
  if (observer) waiting_observers_.push_back(observer);
  return true;
}

/// libtorrent goes on once half of what was too much is written.
void StoreDisk::wrote(std::size_t bytes) {
  std::vector<std::weak_ptr<lt::disk_observer>> told;
  {
    const std::lock_guard lock(mutex_);
    queued_bytes_ -= bytes;
    if (queued_bytes_ <= kMostQueuedBytes / 2) told.swap(waiting_observers_);
  }
  for (auto& each : told)
    answer([each] {
      if (const auto observer = each.lock()) observer->on_disk();
    });
}

void StoreDisk::async_hash(
    lt::storage_index_t index, lt::piece_index_t piece, lt::span<lt::sha256_hash> leaves, lt::disk_job_flags_t,
    std::function<void(lt::piece_index_t, const lt::sha1_hash&, const lt::storage_error&)> handler) {
  const std::shared_ptr<BlobFile> of = file(index);
  const std::uint32_t number = number_of(piece);
  std::optional<PieceBuffer> came = unwritten_.take(place_of(index), number);
  if (came && came->is_whole() && of->begin_whole_write(number)) {
    will_write(came->bytes().size());
    enqueue([this, of, number, piece, leaves, came = std::move(*came), handler = std::move(handler)]() mutable {
      const lt::storage_error error = write_into(*of, came.bytes(), of->torrent().offset_of(number));
      of->end_write(number);
      wrote(came.bytes().size());
      if (!error) hash_leaves(as_text(came.bytes()), leaves);  // else the transfer has failed, and libtorrent pauses it
      answer([piece, error, handler = std::move(handler)] { handler(piece, {}, error); });
    });
    return;
  }
  if (came) write_blocks(of, number, *came);
  auto hash = [this, of, number, piece, leaves, handler = std::move(handler)]() mutable {
    // Not judged: neither the disk nor whoever sent the piece is to blame for what was not written.
    lt::storage_error error(boost::asio::error::operation_aborted, lt::operation_t::file_read);
    if (!of->is_over()) {
      std::string bytes(of->torrent().bytes_of(number), '\0');
      error = read_from(*of, bytes, of->torrent().offset_of(number));
      if (!error) hash_leaves(bytes, leaves);
    }
    answer([piece, error, handler = std::move(handler)] { handler(piece, {}, error); });
  };
  of->after_writes(number, [this, hash = std::move(hash)]() mutable { enqueue(std::move(hash)); });
}

void StoreDisk::async_hash2(
    lt::storage_index_t index, lt::piece_index_t piece, int offset, lt::disk_job_flags_t,
    std::function<void(lt::piece_index_t, const lt::sha256_hash&, const lt::storage_error&)> handler) {
  const std::shared_ptr<BlobFile> of = file(index);
  if (const auto came = unwritten_.take(place_of(index), number_of(piece))) write_blocks(of, number_of(piece), *came);
  auto hash = [this, of, piece, offset, handler = std::move(handler)]() mutable {
    const Torrent& torrent = of->torrent();
    const auto start = static_cast<std::uint32_t>(offset);
    std::string bytes(std::min(kLeafBytes, torrent.bytes_of(number_of(piece)) - start), '\0');
    const lt::storage_error error = read_from(*of, bytes, torrent.offset_of(number_of(piece)) + start);
    answer([piece, error, leaf = leaf_of(bytes), handler = std::move(handler)] { handler(piece, leaf, error); });
  };
  of->after_writes(number_of(piece), [this, hash = std::move(hash)]() mutable { enqueue(std::move(hash)); });
}

void StoreDisk::async_move_storage(
    lt::storage_index_t, std::string path, lt::move_flags_t,
    std::function<void(lt::status_t, const std::string&, const lt::storage_error&)> handler) {
  answer([path = std::move(path), handler = std::move(handler)] {
    handler(lt::status_t::fatal_disk_error, path, failure(ENOTSUP, lt::operation_t::file_rename));
  });
}

void StoreDisk::async_release_files(lt::storage_index_t, std::function<void()> handler) {
  if (handler) answer(std::move(handler));
}

void StoreDisk::async_check_files(lt::storage_index_t, const lt::add_torrent_params*,
                                  lt::aux::vector<std::string, lt::file_index_t>,
                                  std::function<void(lt::status_t, const lt::storage_error&)> handler) {
  // Who adds a torrent says what is there; nothing is read again.
  answer([handler = std::move(handler)] { handler(lt::status_t::no_error, {}); });
}

void StoreDisk::async_stop_torrent(lt::storage_index_t, std::function<void()> handler) {
  if (handler) answer(std::move(handler));
}

void StoreDisk::async_rename_file(
    lt::storage_index_t, lt::file_index_t file_index, std::string name,
    std::function<void(const std::string&, lt::file_index_t, const lt::storage_error&)> handler) {
  answer([name = std::move(name), file_index, handler = std::move(handler)] { handler(name, file_index, {}); });
}

void StoreDisk::async_delete_files(lt::storage_index_t, lt::remove_flags_t,
                                   std::function<void(const lt::storage_error&)> handler) {
  answer([handler = std::move(handler)] { handler({}); });
}

void StoreDisk::async_set_file_priority(
    lt::storage_index_t, lt::aux::vector<lt::download_priority_t, lt::file_index_t> priorities,
    std::function<void(const lt::storage_error&, lt::aux::vector<lt::download_priority_t, lt::file_index_t>)> handler) {
  answer([priorities = std::move(priorities), handler = std::move(handler)] { handler({}, priorities); });
}

void StoreDisk::async_clear_piece(lt::storage_index_t index, lt::piece_index_t piece,
                                  std::function<void(lt::piece_index_t)> handler) {
  unwritten_.take(place_of(index), number_of(piece));
  file(index)->after_writes(
      number_of(piece), [this, piece, handler = std::move(handler)] { answer([piece, handler] { handler(piece); }); });
}

}  // namespace wherry::swarm
