// NodeRecord: a node as the master keeps it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"

namespace wherry::master {

struct NodeRecord {
  std::string name;
  std::vector<std::string> projects;  ///< patterns; empty: all
  std::string site;
  WallTime added_at{};
  std::string secret_hash;  ///< SHA-256 of the join token's secret, hexadecimal
  WallTime secret_until{};
  std::string key_hash;              ///< of the key that used it; empty: nobody has yet
  std::vector<std::string> serials;  ///< of its certificates, the newest last; empty: it has not joined

  std::string encode() const;
  /// Errors: kCorrupt.
  static Result<NodeRecord> decode(std::string_view row);
};

inline constexpr char kNodeTable = 'N';  ///< N name -> NodeRecord

}  // namespace wherry::master
