#include "common/store/upload_state.h"

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry::store {
namespace {

constexpr char kStateVersion = 1;

}  // namespace

UploadState::UploadState(Hasher hasher, std::vector<std::uint64_t> whole_blocks)
    : hasher_(std::move(hasher)), whole_blocks_(std::move(whole_blocks)) {
  WHERRY_CHECK(whole_blocks_.size() == hasher_.size() / kBlockBytes);
}

std::string UploadState::encode() const {
  std::string encoded(1, kStateVersion);
  append_text(encoded, hasher_.save());
  for (const std::uint64_t checksum : whole_blocks_) append_be64(encoded, checksum);
  return encoded;
}

Result<UploadState> UploadState::decode(std::string_view encoded) {
  if (encoded.empty() || encoded.front() != kStateVersion)
    return Error(ErrorKind::kCorrupt, "an upload's state has no version that this program knows");
  encoded.remove_prefix(1);
  const auto saved = take_text(encoded);
  if (!saved) return Error(ErrorKind::kCorrupt, "an upload's state is cut short");
  auto hasher = Hasher::load(*saved);
  if (!hasher) return Error(ErrorKind::kCorrupt, "an upload's state is damaged").with_cause(std::move(hasher.error()));
  if (encoded.size() % 8 != 0 || encoded.size() / 8 != hasher->size() / kBlockBytes)
    return Error(ErrorKind::kCorrupt, "an upload's state does not have the length that its size asks for");
  std::vector<std::uint64_t> whole_blocks;
  whole_blocks.reserve(encoded.size() / 8);
  while (const auto checksum = take_be64(encoded)) whole_blocks.push_back(*checksum);
  return UploadState(std::move(*hasher), std::move(whole_blocks));
}

}  // namespace wherry::store
