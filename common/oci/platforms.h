// PlatformChoice: which images of an index are wanted.
#pragma once

#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/oci/descriptor.h"

namespace wherry {

/// Pure. Platforms are written OS/ARCH or OS/ARCH/VARIANT; without a variant every variant fits.
class PlatformChoice {
 public:
  PlatformChoice() = default;  ///< none
  /// This machine's, on Linux: as a container runtime here would choose.
  static PlatformChoice native();
  static PlatformChoice all();
  /// Errors: kInvalid, naming the text.
  static Result<PlatformChoice> parse(const std::vector<std::string>& platforms);

  bool empty() const { return !all_ && wanted_.empty(); }
  bool wants(const Descriptor& entry) const;
  /// "linux/amd64, linux/arm64/v8", or "all".
  std::string to_string() const;

 private:
  bool all_ = false;
  std::vector<Platform> wanted_;
};

std::string to_string(const Platform& platform);

}  // namespace wherry
