#include "common/feed/segment.h"

#include "common/base/bytes.h"

namespace wherry::feed {
namespace {

/// Hashes of hidden entries that follow each other, in records of at most kMaxHiddenInARecord.
class HiddenRun {
 public:
  explicit HiddenRun(std::string& out) : out_(out) {}
  void add(const Hash& hash) {
    hashes_ += as_text(hash);
    if (hashes_.size() == kMaxHiddenInARecord * sizeof(Hash)) end();
  }
  void end() {
    if (!hashes_.empty()) append_record(out_, RecordKind::kHidden, hashes_);
    hashes_.clear();
  }

 private:
  std::string& out_;
  std::string hashes_;
};

}  // namespace

bool Visibility::sees(std::string_view project) const {
  if (all_ || project.empty()) return true;
  return any_glob_matches(projects_, project);
}

std::shared_ptr<const Segment> Segment::make(const std::vector<Entry>& entries, const SignedHead& head) {
  auto segment = std::make_shared<Segment>();
  segment->to_ = head.head.position;
  segment->from_ = segment->to_ - entries.size();
  segment->head_ = head;
  HiddenRun run(segment->bytes_);
  for (const Entry& entry : entries) {
    if (!entry.change()) {
      segment->pieces_.push_back({0, 0, {}, entry.hash(), true});
      run.add(entry.hash());
      continue;
    }
    run.end();
    segment->pieces_.push_back({segment->bytes_.size(), kRecordHeadBytes + entry.encoded().size(),
                                std::string(entry.change()->project()), entry.hash(), false});
    append_record(segment->bytes_, RecordKind::kEntry, entry.encoded());
  }
  run.end();
  segment->head_offset_ = segment->bytes_.size();
  append_record(segment->bytes_, RecordKind::kHead, head.encode());
  return segment;
}

std::string Segment::bytes_for(const Visibility& visibility) const {
  std::string out;
  HiddenRun run(out);
  for (const Piece& piece : pieces_) {
    if (piece.hidden || !visibility.sees(piece.project)) {
      run.add(piece.hash);
      continue;
    }
    run.end();
    out.append(bytes_, piece.offset, piece.size);
  }
  run.end();
  return out.append(bytes_, head_offset_);
}

}  // namespace wherry::feed
