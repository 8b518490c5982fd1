// What libtorrent's threads and ours know together of one blob on its way. Internal to this room.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/async/bell.h"
#include "common/base/error.h"
#include "common/swarm/piece_set.h"

namespace wherry::swarm {

/// Written by libtorrent's network thread, read by any.
struct TransferState {
  TransferState(const PieceSet& have, std::shared_ptr<Bell> rung)
      : passed(have.pieces()), claimed(have.pieces()), near(have.pieces()), bell(std::move(rung)) {
    for (std::uint32_t piece = have.next(0); piece < have.pieces(); piece = have.next(piece + 1)) passed[piece] = true;
    passed_count = have.count();
  }

  void fail(Error why) {
    {
      const std::lock_guard lock(mutex);
      if (!error) error = std::move(why);
    }
    bell->ring();
  }
  std::optional<Error> failure() const {
    const std::lock_guard lock(mutex);
    return error;
  }

  std::vector<std::atomic<bool>> passed;            ///< pieces that are in the file and right
  std::vector<std::atomic<std::uint16_t>> claimed;  ///< how many neighbours of this site say that they have each
  std::vector<std::atomic<std::uint16_t>> near;     ///< of those, how many gave something of late
  std::atomic<bool> ready{false};                   ///< pieces are taken
  std::atomic<std::uint32_t> passed_count{0};
  std::atomic<std::uint32_t> peers{0};
  std::atomic<std::uint64_t> received_bytes{0};  ///< of pieces, from neighbours
  std::atomic<std::uint64_t> sent_bytes{0};      ///< of pieces, to neighbours
  std::set<std::string> banned;                  ///< hosts that sent wrong pieces; of the network thread
  const std::shared_ptr<Bell> bell;
  mutable std::mutex mutex;
  std::optional<Error> error;  // under mutex
};

}  // namespace wherry::swarm
