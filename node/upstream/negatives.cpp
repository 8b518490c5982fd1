#include "node/upstream/negatives.h"

namespace wherry::node {

std::optional<Error> Negatives::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  if (clock_.monotonic() < found->second.expires) return found->second.error;
  entries_.erase(found);
  return std::nullopt;
}

void Negatives::keep(const std::string& key, const Error& error, std::chrono::milliseconds age) {
  const ErrorKind kind = error.kind();
  const bool not_there = kind == ErrorKind::kManifestUnknown || kind == ErrorKind::kBlobUnknown ||
                         kind == ErrorKind::kNameUnknown || kind == ErrorKind::kDenied;
  if (!not_there || age.count() == 0) return;
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= kMost) entries_.clear();
  entries_.insert_or_assign(key, Entry{error, clock_.monotonic() + age});
}

}  // namespace wherry::node
