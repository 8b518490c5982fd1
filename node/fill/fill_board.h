// FillBoard: the fills that are under way, as an operator is shown them.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/oci/reference.h"
#include "common/store/fill.h"

namespace wherry::node {

/// Any thread. A lock for a step in a list, twice a fill.
class FillBoard {
 public:
  struct Entry {
    std::string repository;
    std::shared_ptr<store::Fill> fill;
    Monotonic since;
  };

  /// Shows a fill until this is dropped.
  class Place {
   public:
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place();

   private:
    friend class FillBoard;
    Place(FillBoard& board, std::list<Entry>::iterator at) : board_(board), at_(at) {}
    FillBoard& board_;
    std::list<Entry>::iterator at_;
  };
  Place show(const RepositoryName& repository, std::shared_ptr<store::Fill> fill);

  /// The oldest of them, at most `most`, and how many there are in all.
  std::pair<std::vector<Entry>, std::size_t> list(std::size_t most) const;

 private:
  mutable std::mutex mutex_;
  std::list<Entry> entries_;
};

}  // namespace wherry::node
