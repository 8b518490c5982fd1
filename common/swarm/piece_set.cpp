#include "common/swarm/piece_set.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "common/base/base64.h"

namespace wherry::swarm {
namespace {

std::size_t bytes_for(std::uint32_t pieces) { return (static_cast<std::size_t>(pieces) + 7) / 8; }

}  // namespace

bool PieceSet::add(std::uint32_t piece) {
  const std::uint64_t bit = std::uint64_t{1} << (piece % 64);
  if ((words_[piece / 64] & bit) != 0) return false;
  words_[piece / 64] |= bit;
  ++count_;
  return true;
}

void PieceSet::remove(std::uint32_t piece) {
  const std::uint64_t bit = std::uint64_t{1} << (piece % 64);
  if ((words_[piece / 64] & bit) == 0) return;
  words_[piece / 64] &= ~bit;
  --count_;
}

void PieceSet::add(PieceRun run) {
  for (std::uint32_t piece = run.first; piece < run.first + run.count; ++piece) add(piece);
}

void PieceSet::remove(PieceRun run) {
  for (std::uint32_t piece = run.first; piece < run.first + run.count; ++piece) remove(piece);
}

template <class Combine>
PieceSet& PieceSet::combine(const PieceSet& other, const Combine& combined) {
  count_ = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    words_[i] = combined(words_[i], other.words_[i]);
    count_ += static_cast<std::uint32_t>(std::popcount(words_[i]));
  }
  return *this;
}

PieceSet& PieceSet::operator&=(const PieceSet& other) { return combine(other, std::bit_and<>()); }

PieceSet& PieceSet::operator-=(const PieceSet& other) {
  return combine(other, [](std::uint64_t own, std::uint64_t others) { return own & ~others; });
}

std::uint32_t PieceSet::next(std::uint32_t from) const {
  if (from >= pieces_) return pieces_;
  std::size_t word = from / 64;
  std::uint64_t bits = words_[word] & (~std::uint64_t{0} << (from % 64));
  while (bits == 0) {
    if (++word == words_.size()) return pieces_;
    bits = words_[word];
  }
  return static_cast<std::uint32_t>(word * 64) + static_cast<std::uint32_t>(std::countr_zero(bits));
}

std::string PieceSet::encode() const {
  std::string bytes(bytes_for(pieces_), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(words_[i / 8] >> (i % 8 * 8) & 0xFF);
  return to_base64(bytes);
}

std::optional<PieceSet> PieceSet::decode(std::string_view text, std::uint32_t pieces) {
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != bytes_for(pieces)) return std::nullopt;
  PieceSet set(pieces);
  for (std::uint32_t piece = 0; piece < pieces; ++piece)
    if ((static_cast<unsigned char>((*bytes)[piece / 8]) >> (piece % 8) & 1) != 0) set.add(piece);
  return set;
}

}  // namespace wherry::swarm
