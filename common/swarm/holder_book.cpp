#include "common/swarm/holder_book.h"

#include <algorithm>

namespace wherry::swarm {

bool HolderBook::add(const Digest& blob, const std::string& site, const std::string& node) {
  if (size_ >= kMost) return false;
  std::size_t& of_node = of_nodes_[node];
  if (of_node >= kMostOfANode) return true;
  Nodes& nodes = blobs_[blob][site];
  if (nodes.size() >= kMostOfASite || std::ranges::find(nodes, node) != nodes.end()) return true;
  nodes.push_back(node);
  ++of_node;
  ++size_;
  return true;
}

void HolderBook::clear() {
  blobs_.clear();
  of_nodes_.clear();
  size_ = 0;
}

void HolderBook::remove(const Digest& blob, const std::string& site, const std::string& node) {
  const auto found = blobs_.find(blob);
  if (found == blobs_.end()) return;
  const auto there = found->second.find(site);
  if (there == found->second.end()) return;
  const std::size_t removed = std::erase(there->second, node);
  size_ -= removed;
  if (removed > 0 && --of_nodes_[node] == 0) of_nodes_.erase(node);
  if (there->second.empty()) found->second.erase(there);
  if (found->second.empty()) blobs_.erase(found);
}

std::vector<std::string> HolderBook::some(const Digest& blob, const std::string& site, std::size_t most,
                                          const std::function<bool(const std::string& node)>& skip) {
  std::vector<std::string> chosen;
  const auto found = blobs_.find(blob);
  if (found == blobs_.end()) return chosen;
  const auto there = found->second.find(site);
  if (there == found->second.end()) return chosen;
  Nodes& nodes = there->second;
  for (const std::string& node : nodes)
    if (chosen.size() < most && !skip(node)) chosen.push_back(node);
  if (!chosen.empty()) std::ranges::rotate(nodes, nodes.begin() + static_cast<std::ptrdiff_t>(chosen.size()));
  return chosen;
}

}  // namespace wherry::swarm
