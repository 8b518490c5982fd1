// The files of the audit log in their folder, and their lines one after another.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry::audit {

/// One file: "audit-<sequence of its first line, 20 digits>.jsonl".
struct Segment {
  std::uint64_t first = 0;
  std::string path;
};

std::string segment_name(std::uint64_t first);

/// All of them, in order; other names in the folder are left alone. Blocks. Errors: kNotFound when there is no such
/// folder, kIo.
Result<std::vector<Segment>> list_segments(const std::string& folder);

/// Reads a file line by line, 256 KiB at a time. Blocks.
class LineReader {
 public:
  /// Errors: kNotFound when it is gone (its time was over), kIo.
  static Result<LineReader> open(const std::string& path);

  /// The next line without its newline, valid until the next call; nothing at the end, or before a line that has no
  /// newline (yet). Errors: kIo; kCorrupt, naming file and line, for a line over kMaxLineBytes.
  Result<std::optional<std::string_view>> next();
  /// A line that was read before, by where it begins and its size. Errors: kIo; kCorrupt when the file is shorter now.
  Result<std::string> line_at(std::uint64_t offset, std::size_t size) const;
  /// Of the line that next() gave last, from 1.
  std::uint64_t line_number() const { return lines_; }
  /// Bytes of all lines that next() gave, with their newlines.
  std::uint64_t offset() const { return offset_; }
  /// After the end: the bytes behind the last newline.
  std::string_view rest() const { return std::string_view(buffer_).substr(at_); }
  const std::string& path() const { return path_; }

 private:
  LineReader(std::string path, UniqueFd file) : path_(std::move(path)), file_(std::move(file)) {}
  /// False at the end of the file.
  Result<bool> fill();

  std::string path_;
  UniqueFd file_;
  std::string buffer_;
  std::size_t at_ = 0;      // in the buffer: the next line
  std::size_t seen_ = 0;    // in the buffer: no newline between at_ and here
  std::uint64_t read_ = 0;  // of the file
  std::uint64_t offset_ = 0;
  std::uint64_t lines_ = 0;
};

}  // namespace wherry::audit
