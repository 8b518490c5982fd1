// TarWriter: writes a bundle's tar. All calls block: they are for a pool.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace wherry::bundle {

/// Files one after another, each of a size that is known once it is written.
class TarWriter {
 public:
  /// Makes the file, or empties it.
  static Result<TarWriter> create(const std::string& path);

  void begin(std::string name);
  Result<void> append(std::span<const std::byte> bytes);
  /// The file that was begun is whole: pads it and writes its header.
  Result<void> end();
  /// Forgets what came since begin(), which may then be called again.
  Result<void> drop();
  /// A whole file.
  Result<void> add(std::string name, std::string_view content);
  /// Forgets everything.
  Result<void> restart();
  /// Ends the archive and takes it to the disk.
  Result<void> finish();

  std::uint64_t size_bytes() const { return at_; }

 private:
  explicit TarWriter(UniqueFd file) : file_(std::move(file)) {}

  UniqueFd file_;
  std::string name_;
  std::uint64_t header_at_ = 0;
  std::uint64_t data_at_ = 0;
  std::uint64_t at_ = 0;
};

}  // namespace wherry::bundle
