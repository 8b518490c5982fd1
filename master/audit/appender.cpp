#include "master/audit/appender.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/files.h"
#include "common/base/log.h"
#include "master/audit/event.h"

namespace wherry::audit {
namespace {

constexpr std::uint64_t kReserveStepBytes = std::uint64_t{1} << 20;

/// Follows all lines of a file; its reader then stands at the end.
Result<LineReader> follow(const std::string& path, Chain& chain) {
  auto reader = LineReader::open(path);
  if (!reader) return reader;
  while (true) {
    auto line = reader->next();
    if (!line) return line.error();
    if (!*line) return reader;
    if (const auto wrong = chain.add(**line))
      return Error(ErrorKind::kCorrupt, "{}:{}: {}", path, reader->line_number(), *wrong);
  }
}

/// Blocks for so many bytes from `begin` on, behind the end of the file, which stays where it is: readers and the
/// search for its end after a crash see nothing of them. False where the file system cannot, but has so much room now.
Result<bool> allocate(int fd, const std::string& path, std::uint64_t begin, std::uint64_t bytes) {
  int done = 0;
  do {
    done = ::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin), static_cast<off_t>(bytes));
  } while (done != 0 && errno == EINTR);
  if (done == 0) return true;
  if (errno != EOPNOTSUPP && errno != ENOSYS) return system_error(errno, "reserve room in " + path);
  struct statvfs about{};
  if (::fstatvfs(fd, &about) != 0) return system_error(errno, "look for room for " + path);
  if (about.f_bavail * about.f_frsize >= bytes) return false;
  return system_error(ENOSPC, "reserve room in " + path);
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Appender::Appender(std::string folder, const AuditOptions& options)
    : folder_(std::move(folder)),
      rotate_bytes_(options.rotate_bytes),
      keep_bytes_(options.keep_bytes),
      sync_(options.sync ? options.sync : [](int fd) { return ::fdatasync(fd); }) {}

Result<Appender> Appender::open(std::string folder, const AuditOptions& options) {
  Appender appender(std::move(folder), options);
  auto recovered = appender.recover();
  if (!recovered) return recovered.error();
  return appender;
}

Result<void> Appender::recover() {
  auto made = make_folder(folder_);
  if (!made) return made.error();
  if (*made)
    if (auto synced = sync_folder(parent_of(folder_)); !synced) return synced;
  auto segments = list_segments(folder_);
  if (!segments) return segments.error();
  if (segments->empty()) return {};
  const Segment newest = std::move(segments->back());
  segments->pop_back();
  for (const Segment& older : *segments) {
    struct stat about{};
    if (::stat(older.path.c_str(), &about) != 0) return system_error(errno, "stat " + older.path);
    older_.push_back({older.path, static_cast<std::uint64_t>(about.st_size)});
    older_bytes_ += older_.back().bytes;
  }
  chain_ = Chain::from(newest.first);
  auto taken = take_up(newest);
  if (!taken) return taken;
  if (chain_.last_hash().empty()) {  // a crash came before the first line of the newest file
    const std::uint64_t expected = chain_.next_sequence();
    if (segments->empty())
      return Error(ErrorKind::kCorrupt, "{}:1: has no line, and the file before it is not there", newest.path);
    Chain before = Chain::from(segments->back().first);
    auto read = follow(segments->back().path, before);
    if (!read) return read.error();
    if (!read->rest().empty() || before.last_hash().empty())
      return Error(ErrorKind::kCorrupt, "{}:{}: ends before its newline, and is not the newest file", read->path(),
                   read->line_number() + 1);
    if (before.next_sequence() != expected)
      return Error(ErrorKind::kCorrupt, "{}:1: begins with the sequence {} where {} follows", newest.path, expected,
                   before.next_sequence());
    chain_ = before;
  }
  synced_chain_ = chain_;
  return {};
}

Result<void> Appender::take_up(const Segment& newest) {
  auto reader = follow(newest.path, chain_);
  if (!reader) return reader.error();
  if (!reader->rest().empty()) {
    auto moved = move_torn_aside(newest.path, reader->offset(), reader->rest());
    if (!moved) return moved;
  }
  auto file = open_file(newest.path, O_WRONLY);
  if (!file) return file.error();
  file_ = std::move(*file);
  path_ = newest.path;
  size_ = reader->offset();
  // Lines that a crash left without their sync are about to be named by the next one.
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0 || ::fsync(file_.get()) != 0)
    return system_error(errno, "sync " + path_);
  return {};
}

Result<void> Appender::move_torn_aside(const std::string& path, std::uint64_t offset, std::string_view torn) {
  const std::string aside = fmt::format("{}.{}.torn", path, offset);
  auto file = open_file(aside, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return file.error();
  auto written = write_all(file->get(), as_bytes(torn), 0);
  if (!written) return written;
  if (::fsync(file->get()) != 0) return system_error(errno, "sync " + aside);
  log::warn("the last line of the audit log was torn by a crash and is moved aside",
            {{"file", path}, {"bytes", std::to_string(torn.size())}, {"moved_to", aside}});
  return sync_folder(folder_);
}

void Appender::add(std::string_view body) {
  WHERRY_CHECK(file_);
  added_ += chain_.extend(body);
  added_.push_back('\n');
}

Error Appender::broken_by(const std::string& what, const Error& cause) {
  broken_ = true;
  return Error(ErrorKind::kIo, "the audit log could not {} and takes no more events until it is opened again", what)
      .with_cause(cause);
}

Result<void> Appender::reserve(std::uint64_t bytes) {
  WHERRY_CHECK(file_);
  const std::uint64_t begin = size_ + added_.size();
  const std::uint64_t end = begin + bytes;
  if (end <= reserved_until_) return {};
  // By larger steps, so that few calls come here; where these have no room, by what it takes.
  for (const std::uint64_t until : {end + kReserveStepBytes, end}) {
    auto taken = allocate(file_.get(), path_, begin, until - begin);
    if (taken) {
      if (*taken) reserved_until_ = until;
      return {};
    }
    if (until == end) return taken.error();
  }
  return {};
}

void Appender::give_back() {
  if (!file_ || reserved_until_ <= size_) return;
  reserved_until_ = 0;
  if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    log::warn("room that the audit log does not need cannot be given back", {{"file", path_}});
}

Result<void> Appender::commit() {
  WHERRY_CHECK(!broken_);
  committed_.clear();
  if (added_.empty()) return {};
  auto written = write_all(file_.get(), as_bytes(added_), size_);
  if (!written) {
    if (written.error().kind() != ErrorKind::kNoSpace || ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
      return broken_by("write " + path_, written.error());
    added_.clear();
    chain_ = synced_chain_;
    reserved_until_ = 0;
    return Error(ErrorKind::kNoSpace, "the disk has no room for the audit log").with_cause(written.error());
  }
  // What a failed sync left on the disk is unknown, and a second one would not tell.
  if (sync_(file_.get()) != 0) return broken_by("sync " + path_, system_error(errno, "sync " + path_));
  size_ += added_.size();
  std::swap(committed_, added_);
  added_.clear();
  synced_chain_ = chain_;
  return {};
}

Result<void> Appender::rotate(std::uint64_t reserve_bytes) {
  WHERRY_CHECK(!broken_ && added_.empty());
  const std::string path = folder_ + "/" + segment_name(chain_.next_sequence());
  auto file = open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  if (!file) return file.error();
  Result<bool> reserved = false;
  if (reserve_bytes > 0) reserved = allocate(file->get(), path, 0, reserve_bytes);
  if (!reserved) {
    auto removed = remove_file(path);
    if (!removed) return broken_by("begin " + path, removed.error());
    return reserved.error();
  }
  if (auto synced = sync_folder(folder_); !synced) return broken_by("begin " + path, synced.error());
  give_back();
  if (file_) {
    older_.push_back({std::move(path_), size_});
    older_bytes_ += size_;
  }
  file_ = std::move(*file);
  path_ = path;
  size_ = 0;
  reserved_until_ = 0;
  if (*reserved) reserved_until_ = reserve_bytes;
  remove_old();
  return {};
}

void Appender::remove_old() {
  if (keep_bytes_ == 0) return;
  // As full as the new file will be: the bound holds then, too. The file before it stays: until the new one has a line,
  // that one alone knows the hash to go on with.
  while (older_.size() > 1 && older_bytes_ + rotate_bytes_ > keep_bytes_) {
    const Kept oldest = older_.front();
    if (auto removed = remove_file(oldest.path); !removed) {
      log::warn("an old file of the audit log cannot be removed", {{"error", removed.error().to_string()}});
      return;
    }
    log::info("an old file of the audit log is removed", {{"file", oldest.path}});
    older_bytes_ -= oldest.bytes;
    older_.pop_front();
  }
}

}  // namespace wherry::audit
