// A torrent as libtorrent makes it, to compare ours with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <libtorrent/bencode.hpp>
#include <libtorrent/create_torrent.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/file_storage.hpp>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/base/sha256.h"

namespace wherry::testing {

struct RealTorrent {
  Sha256 root{};
  std::vector<Sha256> pieces;  ///< the piece layer
};

inline std::vector<Sha256> hashes_of(const std::string& bytes) {
  std::vector<Sha256> hashes(bytes.size() / sizeof(Sha256));
  std::memcpy(hashes.data(), bytes.data(), hashes.size() * sizeof(Sha256));
  return hashes;
}

/// Of version 2 alone, of the one file at `path`, which has more than one piece.
inline RealTorrent real_torrent(const std::filesystem::path& path, std::uint32_t piece_bytes) {
  const std::string name = path.filename().string();
  lt::file_storage files;
  files.add_file(name, static_cast<std::int64_t>(std::filesystem::file_size(path)));
  lt::create_torrent torrent(files, static_cast<int>(piece_bytes), lt::create_torrent::v2_only);
  lt::error_code error;
  lt::set_piece_hashes(torrent, path.parent_path().string(), error);
  WHERRY_CHECK(!error);
  const lt::entry made = torrent.generate();
  const std::string root = made["info"]["file tree"][name][""]["pieces root"].string();
  return {hashes_of(root).front(), hashes_of(made["piece layers"][root].string())};
}

}  // namespace wherry::testing
