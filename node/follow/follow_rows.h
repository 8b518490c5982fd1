// What a follower writes down beside the log: keys of its rows.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace wherry::node::rows {

/// h be64(position) -> SignedHead: the head that closes a batch, as it came, for this node's own children
inline std::string signed_heads_prefix() { return "h"; }
inline std::string signed_head_key(std::uint64_t position) {
  std::string key = signed_heads_prefix();
  append_be64(key, position);
  return key;
}
/// -> nothing: everything that the feed had when it was first met has been applied
inline std::string complete_key() { return "Fu"; }
/// -> the raw public key that signed what was first met
inline std::string pinned_key() { return "Fp"; }

/// -> Membership::view() of the node that followed up to here
inline std::string view_key() { return "Fv"; }

/// Fa repo 0 tag -> be64(position): this tag was answered as of that position, before the feed had brought it
inline std::string answered_ahead_prefix() { return "Fa"; }
inline std::string answered_ahead_key(std::string_view repository, std::string_view tag) {
  std::string key = answered_ahead_prefix();
  key.append(repository).push_back('\0');
  return key.append(tag);
}

/// -> the SignedHead of a snapshot that is whole and proven, and is being put in the place of what was
inline std::string swapping_key() { return "Fw"; }
/// -> nothing: what is not in that snapshot is gone, and its rows are being moved
inline std::string placing_key() { return "Fx"; }

}  // namespace wherry::node::rows
