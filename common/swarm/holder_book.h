// HolderBook: which nodes hold a blob and can be asked to give it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/oci/digest.h"

namespace wherry::swarm {

/// As nodes tell: who lies about it is asked in vain. A blob that nobody asks for takes no place in anybody's session:
/// who holds it is woken by the next one of his site who wants it. Of one loop. O(kMostOfASite) each.
class HolderBook {
 public:
  /// Of one blob: they wake faster than they could fall away.
  static constexpr std::size_t kMostOfASite = 16;
  static constexpr std::size_t kMostOfANode = 10'000;
  static constexpr std::size_t kMost = 65'536;  ///< of all blobs, about 200 bytes each; beyond it none is kept

  /// False when it is full. What a node tells beyond what one may is left out.
  bool add(const Digest& blob, const std::string& site, const std::string& node);
  void remove(const Digest& blob, const std::string& site, const std::string& node);
  /// At most `most` of that site that `skip` does not name; others each time.
  std::vector<std::string> some(const Digest& blob, const std::string& site, std::size_t most,
                                const std::function<bool(const std::string& node)>& skip);
  void clear();
  std::size_t size() const { return size_; }  ///< any thread

 private:
  using Nodes = std::vector<std::string>;
  std::unordered_map<Digest, std::map<std::string, Nodes>> blobs_;  // by site
  std::unordered_map<std::string, std::size_t> of_nodes_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace wherry::swarm
