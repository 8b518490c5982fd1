#include "common/store/blob_row.h"

#include <xxhash.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace wherry::store {
namespace {

constexpr char kRowVersion = 1;

}  // namespace

std::uint64_t block_checksum(std::span<const std::byte> block) { return XXH3_64bits(block.data(), block.size()); }

BlobRow::BlobRow(std::uint64_t size_bytes, std::vector<std::uint64_t> checksums)
    : size_bytes_(size_bytes), checksums_(std::move(checksums)) {
  WHERRY_CHECK(checksums_.size() == block_count(size_bytes_));
}

std::string BlobRow::encode() const {
  std::string encoded(1, kRowVersion);
  encoded.reserve(9 + 8 * checksums_.size());
  append_be64(encoded, size_bytes_);
  for (const std::uint64_t checksum : checksums_) append_be64(encoded, checksum);
  return encoded;
}

Result<BlobRow> BlobRow::decode(std::string_view encoded) {
  if (encoded.empty() || encoded.front() != kRowVersion)
    return Error(ErrorKind::kCorrupt, "a blob's row has no version that this program knows");
  encoded.remove_prefix(1);
  const auto size_bytes = take_be64(encoded);
  if (!size_bytes || encoded.size() % 8 != 0 || encoded.size() / 8 != block_count(*size_bytes))
    return Error(ErrorKind::kCorrupt, "a blob's row does not have the length that its size asks for");
  std::vector<std::uint64_t> checksums;
  checksums.reserve(encoded.size() / 8);
  while (const auto checksum = take_be64(encoded)) checksums.push_back(*checksum);
  return BlobRow(*size_bytes, std::move(checksums));
}

struct BlockChecksums::State {
  State() : running(XXH3_createState()) { WHERRY_CHECK(running != nullptr && XXH3_64bits_reset(running) == XXH_OK); }
  ~State() { XXH3_freeState(running); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  XXH3_state_t* running;
};

BlockChecksums::BlockChecksums() : state_(std::make_unique<State>()) {}
BlockChecksums::~BlockChecksums() = default;
BlockChecksums::BlockChecksums(BlockChecksums&&) noexcept = default;
BlockChecksums& BlockChecksums::operator=(BlockChecksums&&) noexcept = default;

void BlockChecksums::start_after(std::vector<std::uint64_t> whole_blocks) {
  whole_ = std::move(whole_blocks);
  size_bytes_ = whole_.size() * kBlockBytes;
  XXH3_64bits_reset(state_->running);
}

void BlockChecksums::update(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::uint64_t room = kBlockBytes - size_bytes_ % kBlockBytes;
    const std::size_t part = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()));
    XXH3_64bits_update(state_->running, bytes.data(), part);
    size_bytes_ += part;
    bytes = bytes.subspan(part);
    if (part == room) {
      whole_.push_back(XXH3_64bits_digest(state_->running));
      XXH3_64bits_reset(state_->running);
    }
  }
}

BlobRow BlockChecksums::row() const {
  std::vector<std::uint64_t> checksums = whole_;
  if (size_bytes_ % kBlockBytes != 0) checksums.push_back(XXH3_64bits_digest(state_->running));
  return BlobRow(size_bytes_, std::move(checksums));
}

}  // namespace wherry::store
