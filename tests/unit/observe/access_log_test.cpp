#include "common/observe/access_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry {
namespace {

using namespace std::chrono_literals;
using testing::TempDir;

AccessEntry usual() {
  AccessEntry entry;
  entry.request_id = "abc-1";
  entry.method = "GET";
  entry.path = "/v2/a/manifests/v1";
  entry.remote = "127.0.0.1:1234";
  entry.user_agent = "containerd/1.7";
  entry.status = 200;
  entry.bytes = 1234;
  entry.source = Source::kJoined;
  entry.first_byte = 1'234'567ns;
  entry.took = 2s + 5us;
  return entry;
}

/// What a log with these entries leaves in its file, line by line.
std::vector<std::string> lines_of(const std::vector<AccessEntry>& entries,
                                  AccessLog::Form form = AccessLog::Form::kJson) {
  TempDir folder;
  const std::string path = folder.path() + "/log";
  {
    const UniqueFd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    AccessLog log(file.get(), form);
    for (const auto& entry : entries) log.write(entry);
  }
  std::vector<std::string> lines;
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string all;
  std::array<char, 65536> piece{};
  for (ssize_t got = 0; (got = ::read(file.get(), piece.data(), piece.size())) > 0;)
    all.append(piece.data(), static_cast<std::size_t>(got));
  for (std::size_t from = 0; from < all.size();) {
    const auto end = all.find('\n', from);
    EXPECT_NE(end, std::string::npos) << "the last line ends";
    lines.push_back(all.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

TEST(AccessLog, ALineSaysWhatWasAskedAndWhatCameOfIt) {
  const auto lines = lines_of({usual()});
  ASSERT_EQ(lines.size(), 1U);
  auto line = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(line["time"].get<std::string>().size(), 24U);
  line.erase("time");
  EXPECT_EQ(line, nlohmann::json::parse(R"({"level":"info","message":"request","request_id":"abc-1","method":"GET",
    "path":"/v2/a/manifests/v1","status":200,"bytes":1234,"source":"joined","ttfb_ms":1.234,"took_ms":2000.005,
    "remote":"127.0.0.1:1234","user_agent":"containerd/1.7"})"));
}

TEST(AccessLog, OnATerminalItIsText) {
  const auto lines = lines_of({usual()}, AccessLog::Form::kText);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(
      lines[0].find(R"(Z info  request request_id=abc-1 method="GET" path="/v2/a/manifests/v1" status=200 bytes=1234 )"
                    R"(source=joined ttfb_ms=1.234 took_ms=2000.005 remote="127.0.0.1:1234")"),
      std::string::npos)
      << lines[0];
}

TEST(AccessLog, HostileTextStaysInsideItsFieldAndIsBounded) {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes.push_back(static_cast<char>(c));
  std::string longest;
  while (longest.size() < 100'000) longest += bytes;
  AccessEntry entry = usual();
  entry.method = entry.path = entry.user_agent = entry.remote = longest;
  entry.request_id = "a\"},{\n";
  const auto lines = lines_of({entry, usual()});
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LE(lines[0].size(), AccessLog::kMaxLineBytes);
  for (const char c : lines[0]) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  const auto line = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(line.size(), 13U);
  EXPECT_EQ(line["request_id"].get<std::string>().size(), 16U) << "a made one";
  EXPECT_EQ(nlohmann::json::parse(lines[1])["path"], "/v2/a/manifests/v1");
}

TEST(AccessLog, AnyByteAtAnyPlaceIsReadBackAsItWas) {
  std::vector<std::string> paths;
  for (int c = 0; c < 256; ++c)
    for (std::size_t place = 0; place < 17; ++place) {
      std::string path(17, 'a');
      path[place] = static_cast<char>(c);
      paths.push_back(path);
    }
  std::vector<AccessEntry> entries;
  for (const auto& path : paths) {
    entries.push_back(usual());
    entries.back().path = path;
    if (entries.size() == 500 || &path == &paths.back()) {
      const auto lines = lines_of(entries);
      ASSERT_EQ(lines.size(), entries.size());
      for (std::size_t i = 0; i < lines.size(); ++i) {
        std::string wanted;  // a byte is read as the character of that number
        for (const char byte : entries[i].path) {
          const auto value = static_cast<unsigned char>(byte);
          if (value >= 0x80) wanted.push_back(static_cast<char>(0xc0 | value >> 6));
          wanted.push_back(static_cast<char>(value >= 0x80 ? 0x80 | (value & 0x3f) : value));
        }
        ASSERT_EQ(nlohmann::json::parse(lines[i])["path"].get<std::string>(), wanted);
      }
      entries.clear();
    }
  }
}

TEST(AccessLog, IdsThatAreMadeDiffer) {
  AccessEntry entry = usual();
  entry.request_id = "";
  std::set<std::string> ids;
  for (const auto& line : lines_of(std::vector<AccessEntry>(100, entry)))
    ids.insert(nlohmann::json::parse(line)["request_id"]);
  EXPECT_EQ(ids.size(), 100U);
}

TEST(AccessLog, TheTraceIsNamedWhereThereIsOne) {
  AccessEntry entry = usual();
  entry.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
  const auto lines = lines_of({entry});
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(nlohmann::json::parse(lines[0])["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST(AccessLog, WhatNobodyReadsIsDroppedAndCountedAndBlocksNobody) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  constexpr std::size_t kLines = 10'000;
  std::size_t read = 0;
  std::uint64_t dropped = 0;
  std::thread drain;
  {
    AccessLog log(writer.get(), AccessLog::Form::kJson);
    for (std::size_t i = 0; i < kLines; ++i) log.write(usual());
    dropped = log.dropped();
    EXPECT_GT(dropped, kLines / 2);
    drain = std::thread([&] {
      std::array<char, 65536> piece{};
      for (ssize_t got = 0; (got = ::read(reader.get(), piece.data(), piece.size())) > 0;)
        read += static_cast<std::size_t>(std::count(piece.begin(), piece.begin() + got, '\n'));
    });
  }
  writer.reset();
  drain.join();
  EXPECT_EQ(read + dropped, kLines);
}

}  // namespace
}  // namespace wherry
