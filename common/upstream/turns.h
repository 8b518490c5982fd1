// Turns: who is next of many who wait, so that who wants much does not hold up the others.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace wherry {

/// A queue in which clients take turns, and so do the repositories that one client wants something of; what is of one
/// client and one repository goes in the order in which it came. Calls are O(log of those who wait).
template <class T>
class Turns {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// How many of one client wait.
  std::size_t size_of(std::uint64_t client) const {
    const auto found = clients_.queues.find(client);
    return found == clients_.queues.end() ? 0 : found->second.size;
  }

  void push(std::uint64_t client, std::string_view repository, T waiting) {
    auto& of_client = clients_.queues[client];
    of_client.queues[std::string(repository)].push_back(std::move(waiting));
    ++of_client.size;
    ++size_;
  }

  /// Takes the next; there must be one.
  T pop() {
    const auto client = clients_.next();
    const auto repository = client->second.next();
    T waiting = std::move(repository->second.front());
    repository->second.pop_front();
    --client->second.size;
    if (repository->second.empty()) client->second.queues.erase(repository);
    if (client->second.queues.empty()) clients_.queues.erase(client);
    --size_;
    return waiting;
  }

 private:
  template <class Key, class Queue>
  struct Round {
    std::map<Key, Queue> queues;
    Key last{};
    std::size_t size = 0;
    auto next() {
      auto found = queues.upper_bound(last);
      if (found == queues.end()) found = queues.begin();
      last = found->first;
      return found;
    }
  };

  Round<std::uint64_t, Round<std::string, std::deque<T>>> clients_;
  std::size_t size_ = 0;
};

}  // namespace wherry
