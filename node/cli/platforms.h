// PlatformChoice: which images of an index are wanted.
#pragma once

#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/oci/descriptor.h"

namespace wherry::node {

/// Pure. Platforms are written OS/ARCH or OS/ARCH/VARIANT; without a variant every variant fits.
class PlatformChoice {
 public:
  /// This machine's, on Linux: as a container runtime here would choose.
  static PlatformChoice native();
  static PlatformChoice all();
  /// Errors: kInvalid.
  static Result<PlatformChoice> parse(const std::vector<std::string>& platforms);

  bool wants(const Descriptor& entry) const;
  /// "linux/amd64, linux/arm64/v8", or "all".
  std::string to_string() const;

 private:
  bool all_ = false;
  std::vector<Platform> wanted_;
};

std::string to_string(const Platform& platform);

}  // namespace wherry::node
