// Arrivals: blobs that are on their way in by a swarm above, and whose pieces can be passed on already.
#pragma once

#include <memory>
#include <optional>

#include "common/oci/digest.h"
#include "common/swarm/session.h"
#include "common/swarm/torrent_book.h"

namespace wherry::swarm {

struct Arrival {
  SharedTorrent torrent;               ///< as the parent says: the blob's digest is not known to be right yet
  std::shared_ptr<Transfer> transfer;  ///< null until it has begun
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  /// Nothing once the blob is here with its row, or does not come by a swarm any more. Any thread.
  virtual std::optional<Arrival> find(const Digest& digest) const = 0;
};

}  // namespace wherry::swarm
