#include "common/auth/token_memory.h"

#include <xxhash.h>

#include <algorithm>
#include <span>
#include <utility>

#include "common/base/random.h"

namespace wherry::auth {

TokenMemory::TokenMemory() { fill_random(std::as_writable_bytes(std::span(&seed_, 1))); }

void TokenMemory::check(const std::shared_ptr<const AccessSettings>& settings) {
  if (settings_ == settings) return;
  kept_.clear();
  settings_ = settings;
}

std::uint64_t TokenMemory::hash(std::string_view token) const {
  const std::string_view end = token.substr(token.size() - std::min(token.size(), kHashedBytes));
  return ::XXH3_64bits_withSeed(end.data(), end.size(), seed_);
}

TokenMemory::Known* TokenMemory::find(std::string_view token, const std::shared_ptr<const AccessSettings>& settings,
                                      WallTime now) {
  check(settings);
  const auto found = kept_.find(hash(token));
  if (found == kept_.end() || found->second.token != token) return nullptr;
  if (found->second.claims->expires > now) return &found->second;
  kept_.erase(found);
  return nullptr;
}

TokenMemory::Known& TokenMemory::keep(std::string_view token, const std::shared_ptr<const AccessSettings>& settings,
                                      std::shared_ptr<const Claims> claims) {
  check(settings);
  if (kept_.size() >= kMost) kept_.clear();  // who still comes is verified once more
  Known known;
  known.token = token;
  known.claims = std::move(claims);
  return kept_.insert_or_assign(hash(token), std::move(known)).first->second;
}

}  // namespace wherry::auth
