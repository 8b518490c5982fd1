#include "common/bundle/tar_header.h"

#include <algorithm>
#include <numeric>

#include "common/base/check.h"

namespace wherry::bundle {
namespace {

// Where the fields of a header are. Source: GNU tar manual, "Basic Tar Format".
constexpr std::size_t kModeAt = 100;
constexpr std::size_t kUserAt = 108;
constexpr std::size_t kGroupAt = 116;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kTimeAt = 136;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::size_t kSizeDigits = 11;
constexpr std::uint64_t kOctalEnd = std::uint64_t{1} << 33;  // 11 digits
constexpr char kBase256 = '\x80';
constexpr char kRegular = '0';
constexpr char kLongName = 'L';
constexpr std::string_view kLongNameWord = "././@LongLink";

void put_octal(std::string& block, std::size_t at, std::size_t digits, std::uint64_t value) {
  for (std::size_t i = digits; i-- > 0; value /= 8) block[at + i] = static_cast<char>('0' + value % 8);
}

void put_size(std::string& block, std::uint64_t size) {
  if (size < kOctalEnd) return put_octal(block, kSizeAt, kSizeDigits, size);
  block[kSizeAt] = kBase256;
  for (std::size_t i = 8; i-- > 0; size >>= 8) block[kSizeAt + 4 + i] = static_cast<char>(size & 0xff);
}

std::string one_block(std::string_view name, std::uint64_t size, char type) {
  std::string block(kTarBlockBytes, '\0');
  std::ranges::copy(name, block.begin());
  put_octal(block, kModeAt, 7, 0644);
  put_octal(block, kUserAt, 7, 0);
  put_octal(block, kGroupAt, 7, 0);
  put_size(block, size);
  put_octal(block, kTimeAt, 11, 0);
  block[kTypeAt] = type;
  std::ranges::copy(std::string_view("ustar  "), block.begin() + kMagicAt);
  std::ranges::fill_n(block.begin() + kSumAt, 8, ' ');
  const auto sum = std::accumulate(block.begin(), block.end(), std::uint64_t{0},
                                   [](std::uint64_t so_far, char c) { return so_far + static_cast<unsigned char>(c); });
  put_octal(block, kSumAt, 6, sum);
  block[kSumAt + 6] = '\0';
  return block;
}

std::optional<std::uint64_t> read_size(std::string_view field) {
  std::uint64_t size = 0;
  if (field[0] == kBase256) {
    for (const char c : field.substr(4)) size = size << 8 | static_cast<unsigned char>(c);
    return size;
  }
  for (const char c : field.substr(0, kSizeDigits)) {
    if (c < '0' || c > '7') return std::nullopt;
    size = size * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

}  // namespace

std::string tar_header(std::string_view name, std::uint64_t size_bytes) {
  WHERRY_CHECK(!name.empty() && name.size() <= kMaxTarNameBytes);
  std::string header;
  if (name.size() > kTarShortNameBytes) {
    header = one_block(kLongNameWord, name.size() + 1, kLongName);
    header.append(name).resize(2 * kTarBlockBytes, '\0');
  }
  return header + one_block(name.substr(0, kTarShortNameBytes), size_bytes, kRegular);
}

std::optional<TarClaim> read_tar_claim(std::string_view block) {
  const std::string_view name = block.substr(0, std::min(block.find('\0'), kTarShortNameBytes));
  const auto size = read_size(block.substr(kSizeAt, kSizeDigits + 1));
  if (name.empty() || !size || *size > INT64_MAX) return std::nullopt;
  return TarClaim{name, *size, block[kTypeAt] == kLongName};
}

}  // namespace wherry::bundle
