#include "master/audit/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

namespace wherry::audit {
namespace {

/// The last records of those that it is given, within the bounds of a page.
class LastOnes {
 public:
  explicit LastOnes(std::uint64_t limit) : limit_(limit) {}

  void add(AuditRecord record) {
    bytes_ += record.line.size();
    records_.push_back(std::move(record));
    while (records_.size() > limit_ || (bytes_ > AuditPage::kMaxBytes && records_.size() > 1)) {
      bytes_ -= records_.front().line.size();
      records_.pop_front();
      ++left_out_;
    }
  }
  /// Puts those of an earlier file before what is there.
  void add_front(LastOnes earlier) {
    left_out_ += earlier.left_out_;
    for (auto& records = earlier.records_; !records.empty(); records.pop_back()) {
      const std::size_t bytes = records.back().line.size();
      if (full() || (bytes_ + bytes > AuditPage::kMaxBytes && !records_.empty())) {
        left_out_ += records.size();
        return;
      }
      bytes_ += bytes;
      records_.push_front(std::move(records.back()));
    }
  }
  bool full() const { return records_.size() >= limit_; }
  bool cut() const { return left_out_ > 0; }
  std::vector<AuditRecord> take() {
    return {std::make_move_iterator(records_.begin()), std::make_move_iterator(records_.end())};
  }

 private:
  std::uint64_t limit_;
  std::deque<AuditRecord> records_;
  std::size_t bytes_ = 0;
  std::uint64_t left_out_ = 0;
};

std::uint64_t limit_of(const AuditQuery& query) {
  return std::clamp<std::uint64_t>(query.limit, 1, AuditQuery::kMaxLimit);
}

}  // namespace

bool AuditQuery::fits(const AuditEvent& event) const {
  return (!since || *event.time >= *since) && (!until || *event.time < *until) &&
         (actor.empty() || event.actor.name == actor) && event.action.starts_with(action) &&
         event.target.starts_with(target);
}

std::string AuditVerdict::Fault::to_string() const { return fmt::format("{}:{}: {}", file, line, what); }

Result<std::vector<Segment>> AuditReader::segments_of(const AuditQuery& query) const {
  auto segments = list_segments(folder_);
  if (!segments) return segments;
  // A file ends where the next one begins.
  auto first = segments->begin();
  while (first != segments->end() && std::next(first) != segments->end() && std::next(first)->first <= query.after + 1)
    ++first;
  segments->erase(segments->begin(), first);
  if (query.before > 0) std::erase_if(*segments, [&](const Segment& each) { return each.first >= query.before; });
  return segments;
}

Result<bool> AuditReader::walk_file(const Segment& segment, const AuditQuery& query, const Visitor& visit) {
  auto reader = LineReader::open(segment.path);
  if (!reader && reader.error().kind() == ErrorKind::kNotFound) return true;  // it was the oldest, and is removed
  if (!reader) return reader.error();
  while (true) {
    auto line = reader->next();
    if (!line) return line.error();
    if (!*line) return true;
    if (const auto head = head_of(**line)) {
      if (head->sequence <= query.after) continue;
      if (query.before > 0 && head->sequence >= query.before) return true;
    }
    auto record = parse_record(std::string(**line));
    if (!record)
      return Error(ErrorKind::kCorrupt, "{}:{}: {}", segment.path, reader->line_number(), record.error().message());
    if (query.fits(record->event) && !visit(std::move(*record))) return false;
  }
}

Result<void> AuditReader::walk(const AuditQuery& query, const Visitor& visit) const {
  auto segments = segments_of(query);
  if (!segments) return segments.error();
  for (const Segment& segment : *segments) {
    auto more = walk_file(segment, query, visit);
    if (!more) return more.error();
    if (!*more) break;
  }
  return {};
}

Result<AuditPage> AuditReader::read(const AuditQuery& query) const {
  if (query.newest) return read_newest(query);
  AuditPage page;
  std::size_t bytes = 0;
  const std::uint64_t limit = limit_of(query);
  auto walked = walk(query, [&](AuditRecord&& record) {
    if (page.records.size() >= limit || bytes > AuditPage::kMaxBytes) {
      page.more = true;
      return false;
    }
    bytes += record.line.size();
    page.records.push_back(std::move(record));
    return true;
  });
  if (!walked) return walked.error();
  return page;
}

Result<AuditPage> AuditReader::read_newest(const AuditQuery& query) const {
  auto segments = segments_of(query);
  if (!segments) return segments.error();
  LastOnes last(limit_of(query));
  AuditPage page;
  for (auto segment = segments->rbegin(); segment != segments->rend(); ++segment) {
    LastOnes of_file(limit_of(query));
    auto walked = walk_file(*segment, query, [&of_file](AuditRecord&& record) {
      of_file.add(std::move(record));
      return true;
    });
    if (!walked) return walked.error();
    last.add_front(std::move(of_file));
    if (!last.full() && !last.cut()) continue;
    page.more = last.cut() || std::next(segment) != segments->rend();
    break;
  }
  page.records = last.take();
  return page;
}

Result<bool> AuditReader::verify_file(const Segment& segment, bool newest, Chain& chain, AuditVerdict& verdict) {
  const auto fault = [&](std::uint64_t line, std::string what) {
    verdict.fault = AuditVerdict::Fault{segment.path, line, std::move(what)};
    return true;
  };
  auto reader = LineReader::open(segment.path);
  if (!reader && reader.error().kind() == ErrorKind::kNotFound) return false;
  if (!reader) return reader.error();
  if (verdict.files == 0)
    chain = Chain::from(segment.first);
  else if (segment.first != chain.next_sequence())
    return fault(
        1, fmt::format("the file begins with the sequence {} where {} follows", segment.first, chain.next_sequence()));
  ++verdict.files;
  std::string last;
  while (true) {
    auto line = reader->next();
    if (!line && line.error().kind() == ErrorKind::kCorrupt)
      return fault(reader->line_number() + 1, fmt::format("is longer than {} bytes", kMaxLineBytes));
    if (!line) return line.error();
    if (!*line) break;
    if (auto wrong = chain.add(**line)) return fault(reader->line_number(), std::move(*wrong));
    if (verdict.first == 0) verdict.first = segment.first;
    verdict.last = chain.next_sequence() - 1;
    verdict.last_hash = chain.last_hash();
    last.assign(**line);
  }
  if (newest) verdict.unfinished_bytes = reader->rest().size();
  if (!newest && (last.empty() || !reader->rest().empty()))
    return fault(reader->line_number() + 1, "the file ends before its newline, and is not the newest one");
  // No hash stands for the last line of all yet.
  if (!last.empty())
    if (auto record = parse_record(std::move(last)); !record)
      return fault(reader->line_number(), record.error().message());
  return true;
}

Result<AuditVerdict> AuditReader::verify() const {
  auto segments = list_segments(folder_);
  if (!segments) return segments.error();
  AuditVerdict verdict;
  Chain chain;
  for (const Segment& segment : *segments) {
    auto there = verify_file(segment, &segment == &segments->back(), chain, verdict);
    if (!there) return there.error();
    // What is removed while the log is verified is removed from its front: the rest begins after it.
    if (!*there) verdict = AuditVerdict();
    if (verdict.fault) break;
  }
  return verdict;
}

}  // namespace wherry::audit
