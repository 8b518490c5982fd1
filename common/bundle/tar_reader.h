// TarReader: reads a bundle's tar, and refuses what an export does not write. All calls block: they are for a pool.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry::bundle {

/// Every byte is accounted for: headers, padding and end are exactly as TarWriter has them, so there are neither links,
/// nor names in two forms, nor bytes that nobody looks at. Errors of all: kInvalid, saying where; kIo.
class TarReader {
 public:
  /// Errors: kNotFound when there is no such file.
  static Result<TarReader> open(const std::string& path);

  struct File {
    std::string name;
    std::uint64_t size_bytes = 0;
    std::uint64_t offset = 0;  ///< of its first byte in the archive
  };
  /// The next file; nothing at the end, behind which there must be nothing. The one before must have been read whole.
  Result<std::optional<File>> next();
  /// The next bytes of that file; gives how many, 0 at its end, and then its padding was right.
  Result<std::size_t> read(std::span<std::byte> into);
  /// Bytes at any place, for who comes back to a file that was read: their digest is to be looked at again.
  Result<void> read_at(std::uint64_t offset, std::span<std::byte> into) const;

 private:
  explicit TarReader(UniqueFd file) : file_(std::move(file)) {}
  Result<std::string> take_block();
  Error wrong(std::string_view how) const;

  UniqueFd file_;
  std::uint64_t at_ = 0;
  std::uint64_t left_ = 0;   // of the file that is read
  std::size_t padding_ = 0;  // behind it
};

}  // namespace wherry::bundle
