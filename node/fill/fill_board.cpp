#include "node/fill/fill_board.h"

namespace wherry::node {

FillBoard::Place FillBoard::show(const RepositoryName& repository, std::shared_ptr<store::Fill> fill) {
  const std::lock_guard lock(mutex_);
  entries_.push_back({repository.text(), std::move(fill), Clock::system().monotonic()});
  return Place(*this, std::prev(entries_.end()));
}

FillBoard::Place::~Place() {
  const std::lock_guard lock(board_.mutex_);
  board_.entries_.erase(at_);
}

std::pair<std::vector<FillBoard::Entry>, std::size_t> FillBoard::list(std::size_t most) const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> listed;
  for (const Entry& entry : entries_) {
    if (listed.size() == most) break;
    listed.push_back(entry);
  }
  return {std::move(listed), entries_.size()};
}

}  // namespace wherry::node
