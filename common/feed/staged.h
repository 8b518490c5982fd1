// Staged: a state that is being put together beside the one that is in use.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/feed/state.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

inline constexpr char kStagedTable = 'g';  ///< the rows of state.h, with this in the place of kStateTable

/// -> the signed head that a snapshot began with, and the last row of it that is staged (for who goes on)
inline std::string staging_key() { return "Fs"; }

inline std::string staged_key(std::string_view key) {
  std::string staged(key);
  if (!staged.empty() && staged.front() == kStateTable) staged.front() = kStagedTable;
  return staged;
}

/// A transaction in which the state is the staged one: whatever works on a state works on that.
class StagedTransaction final : public kv::Transaction {
 public:
  explicit StagedTransaction(kv::Transaction& within) : within_(within) {}

  Result<std::optional<std::string>> get(std::string_view key) override { return within_.get(staged_key(key)); }
  Result<bool> exists(std::string_view key) override { return within_.exists(staged_key(key)); }
  void put(std::string_view key, std::string_view value) override { within_.put(staged_key(key), value); }
  void erase(std::string_view key) override { within_.erase(staged_key(key)); }
  Result<void> scan(std::string_view prefix, std::string_view after, const Visitor& visit) override {
    const Visitor unstaged = [&](std::string_view key, std::string_view value) {
      std::string as_state(key);
      if (!as_state.empty() && as_state.front() == kStagedTable) as_state.front() = kStateTable;
      return visit(as_state, value);
    };
    return within_.scan(staged_key(prefix), staged_key(after), unstaged);
  }

 private:
  kv::Transaction& within_;
};

}  // namespace wherry::feed
