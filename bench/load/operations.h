// What clients of a registry do, one operation each: get, pull an image, push a blob, mount one.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/pace.h"
#include "common/oci/digest.h"

namespace wherry::bench {

/// GET or HEAD of paths, in turn.
struct GetOptions {
  std::vector<std::string> paths;
  std::string method = "GET";
  std::string headers;            ///< whole lines
  std::uint64_t range_bytes = 0;  ///< not 0: that many bytes from a random place of a body of `size_bytes`
  std::uint64_t size_bytes = 0;
  std::string verify;  ///< the digest that every body must have; empty: bodies are dropped unseen
};
Operation make_get(GetOptions options);

/// A whole image: the manifest by tag, then its config and layers over `parallel` connections.
struct PullOptions {
  std::string repository;
  std::string reference;
  std::uint64_t parallel = 3;  ///< containerd's and docker's default
  bool verify = false;         ///< hashes manifest and blobs
};
Operation make_pull(PullOptions options);

/// How a blob goes up: one POST; POST and PUT; POST, PATCH with chunked coding (docker's way) and PUT; POST, PATCHes
/// with Content-Range and PUT.
enum class PushWay { kSingle, kMonolithic, kStreamed, kChunked };
std::optional<PushWay> parse_push_way(const std::string& text);

struct PushOptions {
  std::string repository;
  std::uint64_t size_bytes = 1'000'000;
  PushWay way = PushWay::kMonolithic;
  std::uint64_t chunk_bytes = 5 << 20;
};
/// Every blob is another one. It costs the client next to nothing: they differ in their last bytes alone, so that what
/// comes before is hashed once.
Operation make_push(PushOptions options);

/// A blob of one repository into another, a new one each time.
struct MountOptions {
  std::string repository;  ///< "-" and a number are added
  std::string from;
  std::string digest;
};
Operation make_mount(MountOptions options);

/// Pulls, with `push_percent` of pushes among them, evenly spread.
Operation make_mixed(Operation pull, Operation push, std::uint64_t push_percent);

}  // namespace wherry::bench
