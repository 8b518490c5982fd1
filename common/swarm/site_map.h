// SiteMap: who shares what below a parent, site by site, as an operator is shown it.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "common/oci/digest.h"

namespace wherry::swarm {

/// Filled in swarm by swarm; the document of it has a bound whatever takes part. A plain value.
class SiteMap {
 public:
  static constexpr std::size_t kMostSites = 256;      ///< that are listed
  static constexpr std::size_t kMostNodes = 10'000;   ///< that are listed, of all sites together
  static constexpr std::size_t kMostSwarms = 64;      ///< that are listed: first those in which somebody gathers
  static constexpr std::size_t kMostSitesOfOne = 32;  ///< that are listed of one swarm

  /// What some have of what they share.
  struct Holding {
    std::uint64_t gathering = 0;    ///< so many still miss a part
    std::uint64_t giving = 0;       ///< so many have all
    std::uint64_t held_bytes = 0;   ///< as each last said
    std::uint64_t whole_bytes = 0;  ///< of what they hold or gather
    void add(const Holding& other);
    std::uint64_t members() const { return gathering + giving; }
  };

  /// One blob's swarm.
  class Swarm {
   public:
    Swarm(const Digest& blob, std::string repository, std::uint64_t size_bytes)
        : blob_(blob), repository_(std::move(repository)), size_bytes_(size_bytes) {}
    /// So much of it left the parent for that site.
    void leased(const std::string& site, std::uint64_t bytes) { sites_[site].leased_bytes += bytes; }

   private:
    friend class SiteMap;
    struct AtSite {
      Holding holding;
      std::uint64_t leased_bytes = 0;
    };
    Digest blob_;
    std::string repository_;  ///< one of those that it is read by
    std::uint64_t size_bytes_;
    Holding all_;
    std::map<std::string, AtSite> sites_;
  };

  /// A node that takes part; what it holds is of swarm's blob; `bridges`: to other sites.
  void member(Swarm& swarm, const std::string& site, const std::string& node, std::uint64_t held_bytes, bool bridges);
  /// That is all of it. One that nobody takes part in is left out.
  void add(Swarm swarm);

  /// `totals`, `sites` and `swarms`: an object each, the latter two with `count` and `listed`. `copies` is what left
  /// the parent over the size of what it is of: 1 when each piece did so once; null before any did. Of a site it is
  /// that site's part of it.
  nlohmann::ordered_json to_json() const;

 private:
  struct Node {
    Holding holding;
    std::uint64_t bridges = 0;  ///< swarms in which it is one
  };
  struct Site {
    Holding holding;
    std::uint64_t swarms = 0;
    std::uint64_t leased_bytes = 0;
    std::uint64_t leased_of_bytes = 0;  ///< the sizes of the blobs that those are of
    std::map<std::string, Node> nodes;
  };
  static nlohmann::ordered_json to_json(const Swarm& swarm);
  static bool is_before(const Swarm& one, const Swarm& other);

  std::map<std::string, Site> sites_;
  std::vector<Swarm> listed_;  // and some more, until they are too many
  std::uint64_t swarms_ = 0;
  std::uint64_t leased_of_bytes_ = 0;  // the sizes of the blobs of which something left
};

}  // namespace wherry::swarm
