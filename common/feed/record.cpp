#include "common/feed/record.h"

#include "common/base/bytes.h"

namespace wherry::feed {

void append_record(std::string& out, RecordKind kind, std::string_view payload) {
  append_be32(out, static_cast<std::uint32_t>(payload.size()));
  out.push_back(static_cast<char>(kind));
  out += payload;
}

void RecordReader::feed(std::string_view piece) {
  kept_.erase(0, at_);
  at_ = 0;
  kept_ += piece;
}

Result<std::optional<Record>> RecordReader::next() {
  std::string_view in = std::string_view(kept_).substr(at_);
  const auto size = take_be32(in);
  if (!size || in.empty()) return std::optional<Record>();
  if (*size > kMaxRecordBytes) return Error(ErrorKind::kInvalid, "a record of {} bytes is over the bound", *size);
  const char kind = in.front();
  switch (static_cast<RecordKind>(kind)) {
    case RecordKind::kKey:
    case RecordKind::kEntry:
    case RecordKind::kHidden:
    case RecordKind::kHead:
    case RecordKind::kRow:
    case RecordKind::kRowsEnd:
    case RecordKind::kProject: break;
    default: return Error(ErrorKind::kInvalid, "a record of a kind that is not known");
  }
  in.remove_prefix(1);
  if (in.size() < *size) return std::optional<Record>();
  at_ += kRecordHeadBytes + *size;
  return std::optional<Record>(Record{static_cast<RecordKind>(kind), in.substr(0, *size)});
}

}  // namespace wherry::feed
