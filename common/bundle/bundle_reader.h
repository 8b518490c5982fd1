// BundleReader: a bundle's files in their order, from a loop.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/async/pool.h"
#include "common/async/task.h"
#include "common/base/buffer.h"
#include "common/base/error.h"
#include "common/bundle/layout.h"
#include "common/bundle/names.h"
#include "common/bundle/tar_reader.h"
#include "common/oci/hasher.h"

namespace wherry::bundle {

/// First its names, piece by piece; then the rest, file by file. Errors of all: kInvalid for what an export does not
/// write, kIo.
class BundleReader {
 public:
  /// Opens it and reads as far as its names begin. Errors: kNotFound.
  static Task<Result<std::unique_ptr<BundleReader>>> open(std::string path, Pool& disk);

  /// It has all names, and not only what came since a position.
  bool is_whole() const { return is_whole_; }
  /// The next bytes of its names, which go into names() too; empty at their end.
  Task<Result<Buffer>> next_piece();
  /// What the names that were read say. Whole once next_piece() gave an empty piece.
  const Names& names() const { return names_; }
  /// The same bytes once more, from `offset` on; empty at their end.
  Task<Result<Buffer>> piece_again(std::uint64_t offset);

  /// The next file after the names; nothing at the end of the bundle.
  Task<Result<std::optional<TarReader::File>>> next_file();
  /// The next bytes of that file; empty at its end.
  Task<Result<Buffer>> next_bytes();
  /// The whole file. Errors: kInvalid when it has more than `most` bytes.
  Task<Result<std::string>> whole_file(const TarReader::File& file, std::size_t most);
  /// Bytes of a file that was read before, which must have the digest that they had.
  Task<Result<std::string>> again(std::uint64_t offset, std::size_t size, const Digest& digest);

  /// What is known of the bundle so far: names and positions once its names were read.
  Facts facts() const;

 private:
  explicit BundleReader(TarReader tar, Pool& disk) : tar_(std::move(tar)), disk_(disk) {}
  Task<Result<void>> begin();

  TarReader tar_;
  Pool& disk_;
  bool is_whole_ = false;
  TarReader::File names_file_;
  Hasher names_hasher_;
  Names names_;
};

Error not_a_bundle(std::string_view how);

}  // namespace wherry::bundle
