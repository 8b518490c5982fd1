// What an operator is shown of this node's part in swarms.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/oci/digest.h"

namespace wherry::node {

/// One blob that this node gathers, or gives to its neighbours.
struct SharedBlob {
  Digest digest;
  std::string repository;  ///< by which its parent lets it in
  bool is_gathering = false;
  WallTime since{};  ///< it gathers, or gives
  std::uint64_t size_bytes = 0;
  std::uint64_t held_bytes = 0;
  std::uint32_t pieces = 0;
  std::uint32_t held_pieces = 0;
  std::uint64_t from_parent_bytes = 0;  ///< that came by leases
  std::uint64_t from_neighbours_bytes = 0;
  std::uint64_t sent_bytes = 0;  ///< to neighbours
  std::uint32_t neighbours = 0;  ///< that it is connected to
  double received_bytes_per_second = 0;
  double sent_bytes_per_second = 0;
};

/// All of them.
struct SharedBlobs {
  std::string listen;  ///< empty: this node takes part in none
  std::string site;
  std::size_t count = 0;
  std::size_t gathering = 0;         ///< of those
  std::vector<SharedBlob> listed{};  ///< of those, as many as were asked for
};

}  // namespace wherry::node
