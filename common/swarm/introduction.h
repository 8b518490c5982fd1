// Introduction: what a parent tells a node of the swarm of one blob.
#pragma once

#include <string>
#include <vector>

#include "common/registry/invitations.h"
#include "common/swarm/torrent.h"

namespace wherry::swarm {

/// Where all of it is asked.
inline constexpr std::string_view kPrefix = registry::kSwarmPath;
/// A request's header: which member asks for a lease.
inline constexpr std::string_view kMemberHeader = "Wherry-Member";

/// Instead of the number of pieces that a member has: it takes part no more.
inline constexpr std::string_view kGone = "gone";
/// Behind a blob's digest: where the master's word on its pieces is asked for.
inline constexpr std::string_view kVoucherPlace = "/voucher";

struct Introduction {
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;  ///< as a document

  Torrent torrent;
  std::string name;             ///< of the swarm
  std::string repository;       ///< by which this member may read the blob; empty: it was not told
  std::string authority_pem;    ///< who vouches for its members
  std::string certificate_pem;  ///< this member's
  std::string member;           ///< what it shows when it asks for leases
  std::vector<std::string> peers;

  std::string encode() const;
  /// Errors: kUpstream for what is no introduction to the swarm of that blob.
  static Result<Introduction> decode(const Digest& blob, std::string_view text);
};

}  // namespace wherry::swarm
