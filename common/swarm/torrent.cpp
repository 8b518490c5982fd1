#include "common/swarm/torrent.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/bytes.h"
#include "common/base/files.h"
#include "common/swarm/merkle.h"

namespace wherry::swarm {
namespace {

constexpr std::uint32_t kSmallestPiece = 64 * 1024;
constexpr std::uint32_t kLargestPiece = 4 * 1024 * 1024;
constexpr std::uint64_t kWantedPieces = 2048;
constexpr char kVersion = 1;         // without a voucher
constexpr char kVouchedVersion = 2;  // its length, itself, then as the other

}  // namespace

std::uint32_t piece_bytes_for(std::uint64_t size) {
  const std::uint64_t wanted = std::bit_ceil((size + kWantedPieces - 1) / kWantedPieces);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(wanted, kSmallestPiece, kLargestPiece));
}

std::uint32_t pieces_for(std::uint64_t size) {
  const std::uint64_t piece = piece_bytes_for(size);
  return static_cast<std::uint32_t>((size + piece - 1) / piece);
}

Torrent::Torrent(const Digest& blob, std::uint64_t size, std::vector<Sha256> roots)
    : blob_(blob),
      size_(size),
      piece_bytes_(piece_bytes_for(size)),
      roots_(std::move(roots)),
      root_(file_root(roots_, piece_bytes_)) {}

Result<Torrent> Torrent::make(const Digest& blob, std::uint64_t size, std::vector<Sha256> pieces) {
  if (size < kLeastBytes || size > kMostBytes || pieces.size() != pieces_for(size))
    return Error(ErrorKind::kInvalid, "{} pieces are no torrent of {} bytes", pieces.size(), size);
  return Torrent(blob, size, std::move(pieces));
}

Result<bool> Torrent::hash_some(int fd, std::uint64_t size, std::uint64_t bytes, std::vector<Sha256>& roots,
                                Hasher& whole) {
  const std::uint32_t piece_bytes = piece_bytes_for(size);
  std::vector<std::byte> piece(piece_bytes);
  std::uint64_t offset = std::uint64_t{piece_bytes} * roots.size();
  for (const std::uint64_t stop = offset + bytes; offset < std::min(size, stop); offset += piece_bytes) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, size - offset));
    const auto got = read_all(fd, std::span(piece).first(want), offset);
    if (!got) return got.error();
    if (*got != want) return Error(ErrorKind::kCorrupt, "a blob's file is shorter than {} bytes", size);
    roots.push_back(piece_root(std::span(piece).first(want), piece_bytes));
    whole.update(std::span(piece).first(want));
  }
  return offset >= size;
}

std::uint32_t Torrent::bytes_of(std::uint32_t piece) const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(piece_bytes_, size_ - offset_of(piece)));
}

std::uint32_t Torrent::pieces_before(std::uint64_t offset) const {
  return offset >= size_ ? pieces() : static_cast<std::uint32_t>(offset / piece_bytes_);
}

Torrent Torrent::vouched_by(std::string voucher) const {
  Torrent vouched = *this;
  vouched.voucher_ = std::move(voucher);
  return vouched;
}

std::string Torrent::encode_vouched() const {
  std::string text = encode();
  if (voucher_.empty()) return text;
  text.replace(0, 1, std::string{kVouchedVersion, static_cast<char>(voucher_.size())} + voucher_);
  return text;
}

std::string Torrent::encode() const {
  std::string text(1, kVersion);
  text.reserve(9 + roots_.size() * sizeof(Sha256));
  append_be64(text, size_);
  for (const Sha256& root : roots_) text.append(as_text(root));
  return text;
}

Result<Torrent> Torrent::decode(const Digest& blob, std::string_view text) {
  const Error bad(ErrorKind::kCorrupt, "that is no torrent of {}", blob.to_string());
  if (text.empty() || (text.front() != kVersion && text.front() != kVouchedVersion)) return bad;
  const bool is_vouched = text.front() == kVouchedVersion;
  text.remove_prefix(1);
  std::string voucher;
  if (is_vouched) {
    const std::size_t length = text.empty() ? 0 : static_cast<unsigned char>(text.front());
    if (length == 0 || text.size() < 1 + length) return bad;
    voucher = text.substr(1, length);
    text.remove_prefix(1 + length);
  }
  const auto size = take_be64(text);
  if (!size || text.size() % sizeof(Sha256) != 0) return bad;
  std::vector<Sha256> roots(text.size() / sizeof(Sha256));
  if (!roots.empty()) std::memcpy(roots.data(), text.data(), text.size());
  auto torrent = make(blob, *size, std::move(roots));
  if (!torrent) return bad;
  torrent->voucher_ = std::move(voucher);
  return torrent;
}

}  // namespace wherry::swarm
