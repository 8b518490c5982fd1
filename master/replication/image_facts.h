// ImageFacts: what filters look at beside names.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/oci/manifest.h"
#include "master/replication/policy.h"
#include "master/replication/sides.h"

namespace wherry::replication {

/// Of an image, or of all images of an index together.
struct ImageFacts {
  static constexpr std::size_t kMaxConfigBytes = std::size_t{4} << 20;
  static constexpr std::size_t kMaxImages = 64;  ///< of an index that are looked into

  std::set<std::string> media_types;  ///< of the manifest, its artifact type and that of its config
  std::vector<Platform> platforms;
  std::vector<std::map<std::string, std::string>> labels;  ///< of each config
  std::string created;                                     ///< the newest, RFC 3339; empty when nothing says

  /// Whether it is wanted, but for `latest`.
  bool fit(const Filters& filters) const;
};

/// Reads what `filters` need to know. A config that cannot be read says nothing. Errors: those of the source.
Task<Result<ImageFacts>> read_facts(Source& source, const RepositoryName& repository, Digest digest,
                                    const Filters& filters);

/// Takes what an image's config says into `facts`; what is not in its form says nothing. Pure.
void read_config(std::string_view json, ImageFacts& facts);

}  // namespace wherry::replication
