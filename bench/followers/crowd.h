// Crowd: many followers of one feed, and one who pushes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/load/histogram.h"
#include "common/base/error.h"

namespace wherry::bench {

/// Pushes of a tag, of manifests in turn.
struct Pushes {
  std::string server;
  std::string repository;
  std::string tag;
  std::vector<std::string> manifests;  ///< files
  std::uint64_t count = 100;
};

/// The whole requests of these pushes, in turn. Errors: kIo for a file that cannot be read.
Result<std::vector<std::string>> push_requests(const Pushes& pushes);

struct CrowdOptions {
  Pushes pushes;
  std::uint64_t followers = 1000;
  double per_second = 20;
  std::uint64_t server_pid = 0;  ///< whose CPU time is taken; 0: nobody's
};

struct CrowdTally {
  Histogram late;  ///< of each entry at each follower: after the push's answer; an entry that came before it: 0
  std::uint64_t arrived = 0;
  double seconds = 0;
  double server_cpu_seconds = 0;
  double client_cpu_seconds = 0;
};

/// User and system time of all threads of a process, to the nanosecond.
double cpu_seconds_of(std::uint64_t pid);

/// In this thread, with epoll. Every follower gets every entry, or there is an error: kTimeout when one lacks
/// something 30 s after the last push.
Result<CrowdTally> run_crowd(const CrowdOptions& options);

}  // namespace wherry::bench
