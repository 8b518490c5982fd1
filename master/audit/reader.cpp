#include "master/audit/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace wherry::audit {
namespace {

enum class Line { kSkip, kTake, kEnd };

/// What to do with a line, as far as it can be told without reading it as JSON.
Line look_at(std::string_view line, const AuditQuery& query, const LineFilter& filter) {
  const auto head = head_of(line);
  if (!head) return Line::kTake;  // to say what is wrong with it
  if (head->sequence <= query.after) return Line::kSkip;
  if (query.before > 0 && head->sequence >= query.before) return Line::kEnd;
  return filter.may_fit(line) ? Line::kTake : Line::kSkip;
}

/// Parses a line; an error names its place.
Result<AuditRecord> record_at(const std::string& path, std::uint64_t line_number, std::string line) {
  auto record = parse_record(std::move(line));
  if (!record) return Error(ErrorKind::kCorrupt, "{}:{}: {}", path, line_number, record.error().message());
  return record;
}

}  // namespace

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
  const LineFilter filter(query);
  while (true) {
    auto line = reader->next();
    if (!line) return line.error();
    if (!*line) return true;
    const Line what = look_at(**line, query, filter);
    if (what == Line::kEnd) return true;
    if (what == Line::kSkip) continue;
    auto record = record_at(segment.path, reader->line_number(), std::string(**line));
    if (!record) return record.error();
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
  auto walked = walk(query, [&page, &query](AuditRecord&& record) { return page.add(std::move(record), query); });
  if (!walked) return walked.error();
  return page;
}

bool AuditPage::add(AuditRecord&& record, const AuditQuery& query) {
  const auto limit = std::clamp<std::uint64_t>(query.limit, 1, AuditQuery::kMaxLimit);
  more = records.size() >= limit || bytes_ > kMaxBytes;
  if (more) return false;
  bytes_ += record.line.size();
  records.push_back(std::move(record));
  return true;
}

Result<bool> AuditReader::newest_of_file(const Segment& segment, const AuditQuery& query, AuditPage& page) {
  auto reader = LineReader::open(segment.path);
  if (!reader && reader.error().kind() == ErrorKind::kNotFound) return true;
  if (!reader) return reader.error();
  struct Place {
    std::uint64_t offset;
    std::uint64_t line_number;
    std::size_t size;
  };
  std::vector<Place> places;
  const LineFilter filter(query);
  while (true) {
    auto line = reader->next();
    if (!line) return line.error();
    if (!*line) break;
    const Line what = look_at(**line, query, filter);
    if (what == Line::kEnd) break;
    if (what == Line::kTake)
      places.push_back({reader->offset() - (*line)->size() - 1, reader->line_number(), (*line)->size()});
  }
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    auto line = reader->line_at(place->offset, place->size);
    if (!line) return line.error();
    auto record = record_at(segment.path, place->line_number, std::move(*line));
    if (!record) return record.error();
    if (query.fits(record->event) && !page.add(std::move(*record), query)) return false;
  }
  return true;
}

Result<AuditPage> AuditReader::read_newest(const AuditQuery& query) const {
  auto segments = segments_of(query);
  if (!segments) return segments.error();
  AuditPage page;
  for (auto segment = segments->rbegin(); segment != segments->rend(); ++segment) {
    auto all = newest_of_file(*segment, query, page);
    if (!all) return all.error();
    if (!*all) break;
  }
  std::reverse(page.records.begin(), page.records.end());
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
