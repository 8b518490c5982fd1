// Shared: what the tasks of one execution know together.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "common/async/event.h"
#include "common/async/task.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::replication {

/// Which content the target is known to have, and who is at work on which: what two images share is sent once. One
/// loop.
class Shared {
 public:
  static constexpr std::size_t kMaxRemembered = 200'000;  ///< when full, all is forgotten, and found out anew

  /// The right to work on something, alone, until it is dropped.
  class Hold {
   public:
    Hold(Shared& shared, std::string key) : shared_(&shared), key_(std::move(key)) {}
    Hold(Hold&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)), key_(std::move(other.key_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (shared_ != nullptr) shared_->end(key_);
    }

   private:
    Shared* shared_;
    std::string key_;
  };
  Task<Hold> hold(std::string key) {
    while (busy_.contains(key)) co_await moved_.wait();
    busy_.insert(key);
    co_return Hold(*this, std::move(key));
  }

  bool is_there(const std::string& key) const { return there_.contains(key); }
  void remember(const std::string& key) {
    if (there_.size() >= kMaxRemembered) there_.clear();
    there_.insert(key);
  }
  /// Where the target has a blob, for mounting it elsewhere.
  void remember_place(const Digest& digest, const RepositoryName& repository) {
    if (places_.size() >= kMaxRemembered) places_.clear();
    places_.insert_or_assign(digest, repository);
  }
  std::optional<RepositoryName> place_of(const Digest& digest) const {
    const auto found = places_.find(digest);
    return found == places_.end() ? std::nullopt : std::optional<RepositoryName>(found->second);
  }

 private:
  void end(const std::string& key) {
    busy_.erase(key);
    moved_.wake_all();
  }

  std::set<std::string> busy_;
  std::unordered_set<std::string> there_;
  std::unordered_map<Digest, RepositoryName> places_;
  Event moved_;
};

}  // namespace wherry::replication
