// The headers of a bundle's tar: of one form, so that a reader can say of every byte whether it is right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/error.h"

namespace wherry::bundle {

// Written by hand, and not by libarchive, for what a bundle must be able to do that no library offers: a reader that
// takes the one form that an export writes and nothing else. Archive libraries are made to read what any tar ever wrote
// (links, sparse files, pax overrides, several headers for one file) and look at neither padding nor what follows the
// end; here a header is right when it is, byte for byte, the one that we would have written for that name and size.

inline constexpr std::size_t kTarBlockBytes = 512;
inline constexpr std::size_t kTarShortNameBytes = 100;
inline constexpr std::size_t kMaxTarNameBytes = kTarBlockBytes - 1;

/// The header of a regular file, GNU form: a block, or three for a name of more than kTarShortNameBytes. Sizes of 8 GiB
/// and more are written in base 256. `name` has 1 to kMaxTarNameBytes bytes.
std::string tar_header(std::string_view name, std::uint64_t size_bytes);
inline std::size_t tar_header_bytes(std::string_view name) {
  return name.size() > kTarShortNameBytes ? 3 * kTarBlockBytes : kTarBlockBytes;
}

/// How many zeros follow a file of that size.
constexpr std::size_t tar_padding(std::uint64_t size_bytes) {
  return static_cast<std::size_t>((kTarBlockBytes - size_bytes % kTarBlockBytes) % kTarBlockBytes);
}

/// The name and size that a block of a header tells; whether it is right is for who compares it with tar_header().
struct TarClaim {
  std::string_view name;  ///< into the block
  std::uint64_t size_bytes;
  bool is_long_name;  ///< the next block is the name, the one after that the header
};
std::optional<TarClaim> read_tar_claim(std::string_view block);

}  // namespace wherry::bundle
