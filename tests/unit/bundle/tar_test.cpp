#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "common/base/bytes.h"
#include "common/bundle/tar_header.h"
#include "common/bundle/tar_reader.h"
#include "common/bundle/tar_writer.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::bundle {
namespace {

class Tar : public ::testing::Test {
 protected:
  std::string archive_of(const std::vector<std::pair<std::string, std::string>>& files) {
    auto writer = TarWriter::create(path_);
    EXPECT_TRUE(writer);
    for (const auto& [name, content] : files) EXPECT_TRUE(writer->add(name, content));
    EXPECT_TRUE(writer->finish());
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  /// All files of an archive, or why it is refused.
  Result<std::vector<std::pair<std::string, std::string>>> read(const std::string& archive) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << archive;
    auto reader = TarReader::open(path_);
    if (!reader) return reader.error();
    std::vector<std::pair<std::string, std::string>> files;
    while (true) {
      auto file = reader->next();
      if (!file) return file.error();
      if (!*file) return files;
      std::string content;
      std::string piece(1000, '\0');
      while (true) {
        auto got = reader->read(std::as_writable_bytes(std::span(piece)));
        if (!got) return got.error();
        if (*got == 0) break;
        content += piece.substr(0, *got);
      }
      files.emplace_back((*file)->name, content);
    }
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "bundle.tar";
};

const std::vector<std::pair<std::string, std::string>> kFiles{
    {"empty", ""},
    {"one", "1"},
    {"a/block", std::string(512, 'b')},
    {"more", std::string(513, 'm')},
    {std::string(100, 'n'), "a name that just fits"},
    {std::string(101, 'n'), "one that does not"},
    {std::string(kMaxTarNameBytes, 'n'), "the longest"},
};

TEST_F(Tar, WhatWasWrittenIsReadBack) {
  const auto read_back = read(archive_of(kFiles));
  ASSERT_TRUE(read_back) << read_back.error().message();
  EXPECT_EQ(*read_back, kFiles);
}

TEST_F(Tar, AFileThatIsBegunAnewLeavesNothingBehind) {
  auto writer = TarWriter::create(path_);
  ASSERT_TRUE(writer && writer->add("first", "1"));
  writer->begin("second");
  ASSERT_TRUE(writer->append(as_bytes(std::string(3000, 'x'))) && writer->drop());
  ASSERT_TRUE(writer->add("second", "2") && writer->finish());
  std::ifstream in(path_, std::ios::binary);
  const auto read_back = read({std::istreambuf_iterator<char>(in), {}});
  ASSERT_TRUE(read_back);
  EXPECT_EQ(*read_back, (std::vector<std::pair<std::string, std::string>>{{"first", "1"}, {"second", "2"}}));
}

TEST_F(Tar, EveryByteOutsideOfTheFilesCounts) {
  const std::string good = archive_of({{"one", "1"}, {std::string(120, 'n'), "22"}});
  const std::size_t first = kTarBlockBytes;
  const std::size_t second = 5 * kTarBlockBytes;
  const std::size_t name_end = 3 * kTarBlockBytes + kTarShortNameBytes;  // what of a long name is said once
  for (std::size_t at = 0; at < good.size(); ++at) {
    if (at == first || at == second || at == second + 1 || (at >= name_end && at < name_end + 20)) continue;
    std::string changed = good;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(read(changed)) << at;
  }
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(read(good.substr(0, size))) << size;
  EXPECT_FALSE(read(good + '\0'));
}

TEST(TarHeader, SizesBeyondOctalDigitsAreReadBackToo) {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{8} << 30, (std::uint64_t{8} << 30) - 1,
                                   std::uint64_t{5} << 40, std::uint64_t{INT64_MAX}}) {
    const std::string header = tar_header("name", size);
    const auto claim = read_tar_claim(header);
    ASSERT_TRUE(claim) << size;
    EXPECT_EQ(claim->size_bytes, size);
    EXPECT_EQ(claim->name, "name");
  }
}

}  // namespace
}  // namespace wherry::bundle
