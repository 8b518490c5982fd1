// Holders: which nodes could give a blob, as they tell, and how they are called when somebody wants it.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/per_loop.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/observe/metrics.h"
#include "common/swarm/calls.h"
#include "common/swarm/holder_book.h"

namespace wherry::swarm {

/// A parent's. Nodes tell what they hold and hang on; what is known is of this process alone, so each answer names it,
/// and who was told another name tells all again. Each blob's holders are kept on the loop that its digest hashes to.
class Holders {
 public:
  static constexpr std::size_t kCalled = 4;                         ///< of a site, at once
  static constexpr std::chrono::milliseconds kLongestCall{10'000};  ///< who has told hangs on so long
  /// A full book, of nodes that are gone maybe, is begun anew: those who are there tell again.
  static constexpr std::chrono::hours kForgetEvery{1};

  Holders(const std::vector<Loop*>& loops, Metrics& metrics);

  /// What a node says: lines of + (it holds that) or - (not any more) and a digest. Nothing is noted of a list with
  /// another line. Errors: kInvalid.
  Task<Result<void>> note(std::string_view list, const std::string& site, const std::string& node);
  /// Calls::is_new_life().
  Task<bool> is_new_life(const std::string& node, std::string life) {
    return calls_.is_new_life(node, std::move(life));
  }
  /// Lines: who knows what was told, then blobs that others want of this node. It waits for one, for kLongestCall at
  /// most, if it `hangs_on` and `told` this process all.
  Task<std::string> answer(const std::string& node, std::string_view told, bool hangs_on);
  /// On the blob's loop: whom to call, other than whom `skip` names.
  std::vector<std::string> some(const Digest& blob, const std::string& site,
                                const std::function<bool(const std::string& node)>& skip);
  /// Who does not hang on any more is not asked for that blob again.
  Task<void> call(const Digest& blob, const std::string& site, const std::vector<std::string>& nodes);
  /// Lets go of who hangs on. Any loop, at once.
  void drain() { calls_.drain(); }

 private:
  struct Part {
    HolderBook book;
    Monotonic forgot_at{};
  };
  std::size_t home_of(const Digest& blob) const { return blob.hash() % parts_.size(); }
  std::string name() const { return name_ + "-" + std::to_string(forgotten_.load()); }

  const std::string name_ = random_hex(8);
  std::atomic<std::uint64_t> forgotten_{0};  // how often a book was begun anew
  Calls calls_;
  PerLoop<Part> parts_;
  Counter called_;
};

}  // namespace wherry::swarm
