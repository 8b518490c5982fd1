#include "master/audit/segments.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "master/audit/event.h"

namespace wherry::audit {
namespace {

constexpr std::string_view kBegin = "audit-";
constexpr std::string_view kEnd = ".jsonl";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kReadBytes = 256 * 1024;

std::optional<std::uint64_t> first_in_name(std::string_view name) {
  if (name.size() != kBegin.size() + kDigits + kEnd.size() || !name.starts_with(kBegin) || !name.ends_with(kEnd))
    return std::nullopt;
  return parse_decimal(without_leading_zeros(name.substr(kBegin.size(), kDigits)));
}

}  // namespace

std::string segment_name(std::uint64_t first) { return fmt::format("{}{:020}{}", kBegin, first, kEnd); }

Result<std::vector<Segment>> list_segments(const std::string& folder) {
  struct stat about{};
  if (::stat(folder.c_str(), &about) != 0 && (errno == ENOENT || errno == ENOTDIR))
    return Error(ErrorKind::kNotFound, "there is no audit log in {}", folder);
  std::vector<Segment> segments;
  auto listed = for_each_file(folder, [&](const std::string& name) {
    if (const auto first = first_in_name(name)) segments.push_back({*first, folder + "/" + name});
  });
  if (!listed) return listed.error();
  std::sort(segments.begin(), segments.end(), [](const Segment& a, const Segment& b) { return a.first < b.first; });
  return segments;
}

Result<LineReader> LineReader::open(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file && errno == ENOENT) return Error(ErrorKind::kNotFound, "{}: is not there", path);
  if (!file) return file.error();
  return LineReader(path, std::move(*file));
}

Result<bool> LineReader::fill() {
  buffer_.erase(0, at_);
  seen_ -= at_;
  at_ = 0;
  const std::size_t held = buffer_.size();
  buffer_.resize(held + kReadBytes);
  auto got = read_all(file_.get(), std::as_writable_bytes(std::span(buffer_).subspan(held)), read_);
  buffer_.resize(held + got.value_or(0));
  if (!got) return Error(ErrorKind::kIo, "{} cannot be read", path_).with_cause(got.error());
  read_ += *got;
  return *got > 0;
}

Result<std::string> LineReader::line_at(std::uint64_t offset, std::size_t size) const {
  std::string line(size, '\0');
  auto got = read_all(file_.get(), std::as_writable_bytes(std::span(line)), offset);
  if (!got) return Error(ErrorKind::kIo, "{} cannot be read", path_).with_cause(got.error());
  if (*got != size) return Error(ErrorKind::kCorrupt, "{} became shorter while it was read", path_);
  return line;
}

Result<std::optional<std::string_view>> LineReader::next() {
  while (true) {
    const std::size_t newline = buffer_.find('\n', seen_);
    const std::size_t length = (newline == std::string::npos ? buffer_.size() : newline) - at_;
    if (length >= kMaxLineBytes)
      return Error(ErrorKind::kCorrupt, "{}:{}: is longer than {} bytes", path_, lines_ + 1, kMaxLineBytes);
    if (newline != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(at_, length);
      at_ = seen_ = newline + 1;
      offset_ += length + 1;
      ++lines_;
      return line;
    }
    seen_ = buffer_.size();
    auto more = fill();
    if (!more) return more.error();
    if (!*more) return std::optional<std::string_view>();
  }
}

}  // namespace wherry::audit
