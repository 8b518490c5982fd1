#include "common/auth/token_memory.h"

#include <xxhash.h>

#include <span>

#include "common/base/random.h"

namespace wherry::auth {

TokenMemory::TokenMemory() { fill_random(std::as_writable_bytes(std::span(&seed_, 1))); }

void TokenMemory::check(const std::shared_ptr<const AccessSettings>& settings) {
  if (settings_ == settings) return;
  kept_.clear();
  settings_ = settings;
}

std::shared_ptr<const Claims> TokenMemory::find(std::string_view token,
                                                const std::shared_ptr<const AccessSettings>& settings, WallTime now) {
  check(settings);
  const auto found = kept_.find(::XXH3_64bits_withSeed(token.data(), token.size(), seed_));
  if (found == kept_.end() || found->second.token != token) return nullptr;
  if (found->second.claims->expires > now) return found->second.claims;
  kept_.erase(found);
  return nullptr;
}

void TokenMemory::keep(std::string_view token, const std::shared_ptr<const AccessSettings>& settings,
                       std::shared_ptr<const Claims> claims) {
  check(settings);
  if (kept_.size() >= kMost) kept_.clear();  // who still comes is verified once more
  kept_.insert_or_assign(::XXH3_64bits_withSeed(token.data(), token.size(), seed_),
                         Kept{std::string(token), std::move(claims)});
}

}  // namespace wherry::auth
