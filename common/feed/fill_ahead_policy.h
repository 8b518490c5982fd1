// FillAheadPolicy: which images which nodes are to have before anybody asks. Travels in the feed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/oci/platforms.h"

namespace wherry::feed {

/// One policy: JSON `{"repositories": [..], "tags": [..], "nodes": [..], "platforms": [..]}`, lists of patterns in
/// which
/// `**` goes over slashes; a list that is not there fits everything.
struct FillAheadPolicy {
  /// In the feed, before the policy's own name.
  static constexpr std::string_view kPrefix = "fill-ahead.";

  std::vector<std::string> repositories;
  std::vector<std::string> tags;
  std::vector<std::string> nodes;
  PlatformChoice platforms = PlatformChoice::all();

  /// Errors: kInvalid, naming the member.
  static Result<FillAheadPolicy> parse(const std::string& json);
  bool fits(std::string_view repository, std::string_view tag, std::string_view node) const;
};

}  // namespace wherry::feed
