// The committer's batch in RocksDB. Internal to this room; includes RocksDB.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/kv/committer.h"
#include "common/kv/high_water.h"
#include "common/kv/overlay.h"
#include "common/kv/table_versions.h"

namespace wherry::kv {

/// kCorrupt, kNoSpace or kIo, naming what was tried.
Error rocks_error(const rocksdb::Status& status, std::string_view what);

/// A log of RocksDB's own that goes nowhere, for a store that must not write anything.
std::shared_ptr<rocksdb::Logger> make_silent_log();

/// The first key after all those that start with `prefix`; empty when there is none such.
std::string end_of_prefix(std::string_view prefix);

/// Calls `visit(key, value)` for the entries of `iterator` that start with `prefix` and sort after `after`, until it
/// gives false.
template <class Visit>
Result<void> visit_range(rocksdb::Iterator& iterator, std::string_view prefix, std::string_view after, Visit&& visit) {
  if (after < prefix) {
    iterator.Seek({prefix.data(), prefix.size()});
  } else {
    const std::string next = std::string(after) + '\0';
    iterator.Seek(next);
  }
  for (; iterator.Valid() && iterator.key().starts_with({prefix.data(), prefix.size()}); iterator.Next())
    if (!visit(iterator.key().ToStringView(), iterator.value().ToStringView())) return {};
  if (!iterator.status().ok()) return rocks_error(iterator.status(), "read the metadata store");
  return {};
}

/// An Overlay over a DB: every body reads what the ones before it wrote. Each key is written once a group, with its
/// last value: what every push touches (the head of the feed, a project's digest) costs a group one row.
class RocksBatch final : public CommitTarget, private Transaction {
 public:
  /// All outlive this. `acknowledged` is advanced over what was synced.
  RocksBatch(rocksdb::DB& db, HighWater& acknowledged, TableVersions& versions)
      : db_(db), acknowledged_(acknowledged), versions_(versions) {}

  Transaction& begin_body() override;
  Result<bool> keep() override;
  void roll_back() override;
  std::size_t batch_bytes() const override;
  Result<void> write(bool sync) override;
  void drop() override;

 private:
  Result<std::optional<std::string>> get(std::string_view key) override;
  Result<bool> exists(std::string_view key) override;
  void put(std::string_view key, std::string_view value) override;
  void erase(std::string_view key) override;
  Result<void> scan(std::string_view prefix, std::string_view after, const Visitor& visit) override;

  bool may_write(std::size_t bytes);

  rocksdb::DB& db_;
  HighWater& acknowledged_;
  TableVersions& versions_;
  Overlay overlay_;
  rocksdb::WriteBatch batch_;
  std::size_t body_bytes_ = 0;
  bool scanning_ = false;
  std::optional<Error> failure_;
};

}  // namespace wherry::kv
