// Scrubber: reads every stored blob through, slowly and for ever, so that rot is found before a client needs the blob.
#pragma once

#include <chrono>

#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/observe/metrics.h"
#include "common/registry/storage.h"
#include "common/registry/stored_body.h"

namespace wherry::registry {

/// Goes through all blobs once a round, evenly; the place is kept, so that restarts do not make it begin anew. It
/// begins half a minute after the start, or a round when that is shorter. Lives on the loop that starts it.
class Scrubber {
 public:
  Scrubber(Storage& storage, DamageHandler& damage, std::chrono::milliseconds round, Metrics& metrics);

  void start() { scope_.spawn(run()); }
  Task<void> stop();

 private:
  Task<void> run();
  Task<Result<std::uint64_t>> total_bytes();
  Task<Result<std::string>> page(std::string after, double bytes_a_second);
  Task<void> check(Digest digest, store::BlobRow row);
  Task<void> pause(std::chrono::milliseconds time);

  Storage& storage_;
  DamageHandler& damage_;
  std::chrono::milliseconds round_;
  Counter checked_bytes_;
  Counter rounds_;
  Scope scope_;
  Sleeper sleeper_;
  bool stopping_ = false;
};

}  // namespace wherry::registry
