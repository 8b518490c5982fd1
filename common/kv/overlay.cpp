#include "common/kv/overlay.h"

#include <algorithm>
#include <cstring>

namespace wherry::kv {

std::string_view Overlay::keep(std::string_view bytes) {
  if (bytes.empty()) return {};
  auto* const kept = static_cast<char*>(arena_.allocate(bytes.size(), 1));
  std::memcpy(kept, bytes.data(), bytes.size());
  return {kept, bytes.size()};
}

void Overlay::write(Row row) {
  bytes_ += row.key.size() + row.value.size();
  tables_.set(table_of(row.key));
  row.value = keep(row.value);
  if (const auto found = index_->find(row.key); found != index_->end()) {
    Row& present = rows_[found->second];
    undo_.push_back({found->second, present});
    row.key = present.key;
    present = row;
    return;
  }
  row.key = keep(row.key);
  undo_.push_back({rows_.size(), std::nullopt});
  index_->emplace(row.key, rows_.size());
  rows_.push_back(row);
}

const Overlay::Row* Overlay::find(std::string_view key) const {
  const auto found = index_->find(key);
  return found == index_->end() ? nullptr : &rows_[found->second];
}

std::vector<const Overlay::Row*> Overlay::range(std::string_view prefix, std::string_view after) const {
  std::vector<const Row*> found;
  if (!prefix.empty() && !tables_[table_of(prefix)]) return found;
  for (const Row& row : rows_)
    if (row.key.starts_with(prefix) && (after.empty() || row.key > after)) found.push_back(&row);
  std::ranges::sort(found, {}, &Row::key);
  return found;
}

void Overlay::undo_body() {
  while (!undo_.empty()) {
    const Undo& last = undo_.back();
    Row& row = rows_[last.place];
    bytes_ -= row.key.size() + row.value.size();
    if (last.before) {
      row = *last.before;
    } else {  // the newest row: those after it were undone already
      index_->erase(row.key);
      rows_.pop_back();
    }
    undo_.pop_back();
  }
}

void Overlay::clear() {
  undo_.clear();
  rows_.clear();
  index_.reset();
  arena_.release();
  begin_anew();
  tables_.reset();
  bytes_ = 0;
}

}  // namespace wherry::kv
