#include "common/oci/platforms.h"

#include <algorithm>

namespace wherry {

PlatformChoice PlatformChoice::native() {
  PlatformChoice choice;
#if defined(__x86_64__)
  choice.wanted_.push_back({"linux", "amd64", ""});
#elif defined(__aarch64__)
  choice.wanted_.push_back({"linux", "arm64", ""});
#elif defined(__arm__)
  choice.wanted_.push_back({"linux", "arm", ""});
#elif defined(__riscv)
  choice.wanted_.push_back({"linux", "riscv64", ""});
#elif defined(__powerpc64__)
  choice.wanted_.push_back({"linux", "ppc64le", ""});
#elif defined(__s390x__)
  choice.wanted_.push_back({"linux", "s390x", ""});
#else
  choice.all_ = true;
#endif
  return choice;
}

PlatformChoice PlatformChoice::all() {
  PlatformChoice choice;
  choice.all_ = true;
  return choice;
}

Result<PlatformChoice> PlatformChoice::parse(const std::vector<std::string>& platforms) {
  PlatformChoice choice;
  for (const std::string& text : platforms) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= text.size();) {
      const auto slash = std::min(text.find('/', from), text.size());
      parts.push_back(text.substr(from, slash - from));
      from = slash + 1;
    }
    const bool empty = std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); });
    if (empty || parts.size() < 2 || parts.size() > 3)
      return Error(ErrorKind::kInvalid, "'{}' is not a platform, such as linux/amd64 or linux/arm64/v8", text);
    choice.wanted_.push_back({parts[0], parts[1], parts.size() == 3 ? parts[2] : ""});
  }
  return choice;
}

bool PlatformChoice::wants(const Descriptor& entry) const {
  if (all_) return true;
  if (!entry.platform) return false;
  return std::any_of(wanted_.begin(), wanted_.end(), [&](const Platform& wanted) {
    return wanted.os == entry.platform->os && wanted.architecture == entry.platform->architecture &&
           (wanted.variant.empty() || wanted.variant == entry.platform->variant);
  });
}

std::string to_string(const Platform& platform) {
  std::string text = platform.os + "/" + platform.architecture;
  if (!platform.variant.empty()) text += "/" + platform.variant;
  return text;
}

std::string PlatformChoice::to_string() const {
  if (all_) return "all";
  std::string text;
  for (const Platform& platform : wanted_) text += (text.empty() ? "" : ", ") + wherry::to_string(platform);
  return text;
}

}  // namespace wherry
