#include "common/swarm/blob_file.h"

#include <utility>

namespace wherry::swarm {

bool BlobFile::begin(std::uint32_t piece, bool alone) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || state_->passed[piece].load() || (alone && writes_[piece] > 0)) return false;
  ++writes_[piece];
  ++writing_;
  return true;
}

void BlobFile::end_write(std::uint32_t piece) {
  std::vector<std::move_only_function<void()>> ready;
  {
    const std::lock_guard lock(mutex_);
    if (--writing_ == 0) quiet_.notify_all();
    if (--writes_[piece] == 0) {
      const auto found = waiting_.find(piece);
      if (found != waiting_.end()) {
        ready = std::move(found->second);
        waiting_.erase(found);
      }
    }
  }
  for (auto& each : ready) each();
}

void BlobFile::after_writes(std::uint32_t piece, std::move_only_function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (writes_[piece] > 0) {
      waiting_[piece].push_back(std::move(work));
      return;
    }
  }
  work();
}

void BlobFile::stop_writing() {
  std::unique_lock lock(mutex_);
  stopped_ = true;
  quiet_.wait(lock, [this] { return writing_ == 0; });
}

bool BlobFile::is_over() {
  const std::lock_guard lock(mutex_);
  return stopped_ || state_->failure().has_value();
}

std::string BlobFiles::put(std::shared_ptr<BlobFile> file) {
  const std::lock_guard lock(mutex_);
  std::string number = "/" + std::to_string(++last_);  // libtorrent makes all else a path below ours
  files_.emplace(number, std::move(file));
  return number;
}

std::shared_ptr<BlobFile> BlobFiles::take(const std::string& number) {
  const std::lock_guard lock(mutex_);
  const auto found = files_.find(number);
  if (found == files_.end()) return nullptr;
  std::shared_ptr<BlobFile> file = std::move(found->second);
  files_.erase(found);
  return file;
}

}  // namespace wherry::swarm
