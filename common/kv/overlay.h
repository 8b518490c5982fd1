// Overlay: what a group of transactions has written and the store does not have yet.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/kv/table_versions.h"

namespace wherry::kv {

/// The newest value of each key that was written, found by its hash; bodies end by keeping or undoing what they wrote.
/// All bytes are copied into one arena that is given back at once. A write or a look-up costs O(1), undoing O(writes of
/// the body), a range O(rows) where its table was written to and nothing elsewhere. One thread.
class Overlay {
 public:
  /// What is known of a key: a value, or that it was erased.
  struct Row {
    std::string_view key;
    std::string_view value;
    bool erased = false;
  };

  Overlay() { begin_anew(); }
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  void put(std::string_view key, std::string_view value) { write({key, value, false}); }
  void erase(std::string_view key) { write({key, {}, true}); }
  /// Null when nothing was written under that key. Valid until the next write.
  const Row* find(std::string_view key) const;
  /// The rows whose keys start with `prefix` and sort after `after`, by key; of bodies that were undone nothing. Valid
  /// until the next write.
  std::vector<const Row*> range(std::string_view prefix, std::string_view after) const;

  void begin_body() { undo_.clear(); }
  /// Whether the present body wrote anything.
  bool body_wrote() const { return !undo_.empty(); }
  void undo_body();

  /// Of all that was written, also what was overwritten since.
  std::size_t bytes() const { return bytes_; }
  const Tables& tables() const { return tables_; }
  void clear();

 private:
  using Index = std::pmr::unordered_map<std::string_view, std::size_t>;  // key -> its place in rows_

  /// How to bring a row back: its place, and what was there; nothing when it was not there.
  struct Undo {
    std::size_t place;
    std::optional<Row> before;
  };

  void begin_anew() { index_.emplace(&arena_); }
  void write(Row row);
  std::string_view keep(std::string_view bytes);

  static constexpr std::size_t kFirstArenaBytes = std::size_t{64} << 10;

  std::pmr::monotonic_buffer_resource arena_{kFirstArenaBytes};
  std::optional<Index> index_;
  std::vector<Row> rows_;
  std::vector<Undo> undo_;
  Tables tables_;
  std::size_t bytes_ = 0;
};

}  // namespace wherry::kv
