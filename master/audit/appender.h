// Appender: the end of the audit log: it is found when the log is opened, written to, synced, and moved to a new file.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "master/audit/chain.h"
#include "master/audit/options.h"
#include "master/audit/segments.h"

namespace wherry::audit {

/// One thread's. All calls but full() and add() block.
class Appender {
 public:
  /// Makes the folder (0700) or finds where the log in it ends, for which it reads the newest file whole. A last line
  /// without its newline is moved aside into a file of its own, "*.torn": a crash broke it off, and nobody was told
  /// that it was there. Errors: kCorrupt, naming file and line, for all else that does not fit; kIo; kNoSpace.
  static Result<Appender> open(std::string folder, const AuditOptions& options);

  /// Whether rotate() has to come before the next add(): the file with what was added has its size, or there is none.
  bool full() const {
    const std::uint64_t bytes = size_ + added_.size();
    return !file_ || (bytes > 0 && bytes >= rotate_bytes_);
  }
  /// Adds a line to what the next commit() writes.
  void add(std::string_view body);
  /// Makes sure that so many bytes can be written behind what was added, whatever else fills the disk meanwhile: takes
  /// blocks behind the file's end, which it does not move. Where the file system can promise nothing, it looks whether
  /// there is room now. After the first rotate(). Errors: kNoSpace, kIo.
  Result<void> reserve(std::uint64_t bytes);
  /// Gives back what was reserved.
  void give_back();
  /// Writes what was added, and syncs it. Errors: kNoSpace: nothing of it stands in the log, and it may be tried again
  /// with other lines; kIo: the log is broken() from now on.
  Result<void> commit();
  /// The lines of the last commit() that did not fail, each with its newline.
  std::string_view committed() const { return committed_; }
  /// Begins a new file with so many bytes reserved in it, and removes the oldest ones beyond what is to be kept. After
  /// a commit(). Errors: those of open(2) and reserve(); then all goes on in the present file, if there is one, and it
  /// may be tried again; kIo: the log is broken() from now on.
  Result<void> rotate(std::uint64_t reserve_bytes);

  bool has_file() const { return static_cast<bool>(file_); }
  bool broken() const { return broken_; }
  std::uint64_t next_sequence() const { return chain_.next_sequence(); }

 private:
  struct Kept {
    std::string path;
    std::uint64_t bytes;
  };

  Appender(std::string folder, const AuditOptions& options);
  Result<void> recover();
  Result<void> take_up(const Segment& newest);
  Result<void> move_torn_aside(const std::string& path, std::uint64_t offset, std::string_view torn);
  Error broken_by(const std::string& what, const Error& cause);
  void remove_old();

  std::string folder_;
  std::uint64_t rotate_bytes_;
  std::uint64_t keep_bytes_;
  std::function<int(int)> sync_;
  Chain chain_;         // with what was added
  Chain synced_chain_;  // without it
  UniqueFd file_;
  std::string path_;
  std::uint64_t size_ = 0;
  std::uint64_t reserved_until_ = 0;  // offset in the file
  std::string added_;
  std::string committed_;
  std::deque<Kept> older_;  // files before this one
  std::uint64_t older_bytes_ = 0;
  bool broken_ = false;
};

}  // namespace wherry::audit
