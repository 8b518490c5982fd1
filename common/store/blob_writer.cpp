#include "common/store/blob_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <coroutine>
#include <utility>

#include "common/async/frame_pool.h"
#include "common/base/check.h"
#include "common/base/files.h"
#include "common/store/blob_writer_state.h"
#include "common/store/block_buffer.h"

namespace wherry::store {
namespace {

/// So often the kernel is told to start writing, so that the sync at the end finds little left to do.
constexpr std::uint64_t kWriteBackBytes = std::uint64_t{8} << 20;

Error finished_error() { return Error(ErrorKind::kInternal, "this blob was committed or discarded already"); }

}  // namespace

/// A coroutine that owns itself: the one thing of a writer that may outlive it, by the time of one write. No Scope, for
/// that would have to be joined by whoever drops a writer.
struct BlobWriter::State::Background {
  struct promise_type {
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }
    Background get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { WHERRY_CHECK(!"writing a buffer threw"); }
  };
};

BlobWriter::State::Background BlobWriter::State::work(std::shared_ptr<State> self, Buffer buffer) {
  auto wrote = co_await self->core->pool.run([&self, &buffer] { return self->write(buffer.bytes()); });
  if (!wrote) {
    self->failure = std::move(wrote.error());
    self->taken = self->written;
  }
  self->working = false;
  self->idle_.wake_all();
}

void BlobWriter::State::start(const std::shared_ptr<State>& self, Buffer buffer) {
  self->taken += buffer.size();
  self->working = true;
  work(self, std::move(buffer));
}

Task<void> BlobWriter::State::settled() {
  while (working) co_await idle_.wait();
}

Result<void> BlobWriter::State::write(std::span<const std::byte> bytes) {
  if (auto wrote = write_all(file.get(), bytes, written); !wrote) {
    // The file ends where its hash does, so that a session can go on with it.
    if (::ftruncate(file.get(), static_cast<off_t>(written)) != 0)
      return system_error(errno, "cut " + name).with_cause(std::move(wrote.error()));
    return wrote;
  }
  if (when_written) when_written(written + bytes.size());
  hash(bytes);
  return {};
}

Result<void> BlobWriter::State::take_in(std::uint64_t bytes) {
  if (when_written) when_written(written + bytes);
  for (const std::uint64_t end = written + bytes; written < end;) {
    const auto block = block_buffer().first(std::min<std::uint64_t>(block_buffer().size(), end - written));
    auto got = read_all(file.get(), block, written);
    if (!got) return std::move(got.error());
    if (*got != block.size()) return Error(ErrorKind::kIo, "{} is shorter than what was written to it", name);
    hash(block);
  }
  return {};
}

void BlobWriter::State::hash(std::span<const std::byte> bytes) {
  hasher.update(bytes);
  blocks.update(bytes);
  written += bytes.size();
  if (written - write_back_from >= kWriteBackBytes) {
    ::sync_file_range(file.get(), static_cast<off_t>(write_back_from), static_cast<off_t>(written - write_back_from),
                      SYNC_FILE_RANGE_WRITE);
    write_back_from = written;
  }
}

Result<void> BlobWriter::State::sync() {
  if (synced == written) return {};
  if (auto done = core->sync_file(file.get(), core->layout.temporary(name)); !done) return done;
  synced = written;
  return {};
}

BlobWriter::BlobWriter(std::shared_ptr<State> state) : state_(std::move(state)) {}
BlobWriter::BlobWriter(BlobWriter&&) noexcept = default;
BlobWriter& BlobWriter::operator=(BlobWriter&&) noexcept = default;
BlobWriter::~BlobWriter() = default;

Task<Result<void>> BlobWriter::append(Buffer buffer) {
  const std::shared_ptr<State> state = state_;
  co_await state->settled();
  if (state->failure) co_return *state->failure;
  if (!state->file) co_return finished_error();
  if (buffer.empty()) co_return Result<void>();
  State::start(state, std::move(buffer));
  if (state->failure) co_return *state->failure;  // it was not even begun
  co_return Result<void>();
}

Task<Result<void>> BlobWriter::append_written(std::uint64_t bytes) {
  const std::shared_ptr<State> state = state_;
  auto flushed = co_await flush();
  if (!flushed) co_return flushed;
  auto taken = co_await state->core->pool.run([&state, bytes] { return state->take_in(bytes); });
  state->taken = state->written;
  if (!taken) state->failure = taken.error();
  co_return taken;
}

int BlobWriter::file() const { return state_->file.get(); }

void BlobWriter::when_written(std::move_only_function<void(std::uint64_t)> written) {
  WHERRY_CHECK(!state_->working);
  state_->when_written = std::move(written);
}

Task<Result<void>> BlobWriter::flush() {
  const std::shared_ptr<State> state = state_;
  co_await state->settled();
  if (state->failure) co_return *state->failure;
  if (!state->file) co_return finished_error();
  co_return Result<void>();
}

Task<Result<void>> BlobWriter::sync() {
  const std::shared_ptr<State> state = state_;
  auto flushed = co_await flush();
  if (!flushed) co_return flushed;
  auto synced = co_await state->core->pool.run([&state] { return state->sync(); });
  if (!synced) state->failure = synced.error();
  co_return synced;
}

Task<Result<BlobRow>> BlobWriter::commit(Digest expected) {
  const std::shared_ptr<State> state = state_;
  auto flushed = co_await flush();
  if (!flushed) co_return std::move(flushed.error());
  const Digest actual = state->hasher.finish();
  if (actual != expected)
    co_return Error(ErrorKind::kDigestInvalid, "the content is {}, but {} was announced", actual.to_string(),
                    expected.to_string());
  auto published = co_await state->core->pool.run([&state, &expected] {
    return state->core->publish(state->file.get(), state->name, expected, state->synced == state->written);
  });
  if (!published) {
    state->failure = published.error();
    co_return std::move(published.error());
  }
  state->file.reset();
  co_return state->blocks.row();
}

Task<Result<void>> BlobWriter::discard() {
  const std::shared_ptr<State> state = state_;
  co_await state->settled();
  if (!state->file) co_return Result<void>();
  auto removed = co_await state->core->pool.run([&state]() -> Result<void> {
    auto gone = remove_file(state->core->layout.temporary(state->name));
    state->file.reset();  // here, where freeing its blocks may take its time
    if (!gone) return std::move(gone.error());
    return {};
  });
  co_return removed;
}

std::uint64_t BlobWriter::size() const { return state_->taken; }
const std::string& BlobWriter::name() const { return state_->name; }

UploadState BlobWriter::state() const {
  WHERRY_CHECK(!state_->working);
  return UploadState(state_->hasher, state_->blocks.whole_blocks());
}

Digest BlobWriter::digest() const {
  WHERRY_CHECK(!state_->working);
  return state_->hasher.finish();
}

}  // namespace wherry::store
