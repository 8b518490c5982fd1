// Table: all records of a kind in memory, by id and by name.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "master/identity/records.h"

namespace wherry::identity {

template <class T>
class Table {
 public:
  const T* find(std::string_view id) const {
    const auto found = records_.find(id);
    return found == records_.end() ? nullptr : &found->second;
  }
  const T* named(std::string_view name) const {
    const auto found = ids_.find(name);
    return found == ids_.end() ? nullptr : find(found->second);
  }
  void put(const T& record) {
    if (const T* before = find(record.id)) ids_.erase(before->name);
    ids_.insert_or_assign(record.name, record.id);
    records_.insert_or_assign(record.id, record);
  }
  void erase(std::string_view id) {
    const auto found = records_.find(id);
    if (found == records_.end()) return;
    ids_.erase(found->second.name);
    records_.erase(found);
  }
  std::size_t size() const { return records_.size(); }

  struct Page {
    std::vector<const T*> records;
    bool more = false;  ///< there is one more that is wanted
  };
  /// By name, after `last`, at most `limit` of those that `wanted` is true for. O(records between).
  template <class Wanted>
  Page page(const std::string& last, std::size_t limit, Wanted wanted) const {
    Page page;
    for (auto at = ids_.upper_bound(last); at != ids_.end() && !page.more; ++at) {
      const T* record = find(at->second);
      if (!wanted(*record)) continue;
      page.more = page.records.size() == limit;
      if (!page.more) page.records.push_back(record);
    }
    return page;
  }
  /// Each record, in no order that means anything.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [id, record] : records_) visit(record);
  }

 private:
  std::map<std::string, T, std::less<>> records_;
  std::map<std::string, std::string, std::less<>> ids_;
};

}  // namespace wherry::identity
