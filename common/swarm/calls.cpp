#include "common/swarm/calls.h"

#include <functional>

namespace wherry::swarm {

Task<bool> Calls::call(std::string node, Digest blob) {
  Loop& home = Loop::current();
  const std::size_t index = std::hash<std::string>()(node) % parts_.size();
  co_await parts_.loop(index).enter();
  Part& part = parts_.part(index);
  const auto line = part.find(node);
  const bool is_there = line != part.end() && Clock::system().monotonic() - line->second.heard_at < kSilence;
  if (is_there) {
    if (line->second.blobs.size() < kMostOfANode) line->second.blobs.insert(blob);
    if (line->second.listener != nullptr) line->second.listener->wake();
  }
  co_await home.enter();
  co_return is_there;
}

Task<bool> Calls::is_new_life(std::string node, std::string life) {
  if (life.size() > kMostLifeBytes) life.resize(kMostLifeBytes);
  Loop& home = Loop::current();
  const std::size_t index = std::hash<std::string>()(node) % parts_.size();
  co_await parts_.loop(index).enter();
  Line& line = line_of(parts_.part(index), node);
  const bool is_new = !line.life.empty() && line.life != life && line.heard_at - line.life_at >= kSilence;
  if (is_new || line.life.empty()) {
    line.life = std::move(life);
    line.life_at = is_new ? line.heard_at : Monotonic{};
  }
  co_await home.enter();
  co_return is_new;
}

Task<std::vector<Digest>> Calls::listen(std::string node, std::chrono::milliseconds at_most) {
  Loop& home = Loop::current();
  const std::size_t index = std::hash<std::string>()(node) % parts_.size();
  co_await parts_.loop(index).enter();
  Part& part = parts_.part(index);
  Line& line = line_of(part, node);
  if (line.listener != nullptr) line.listener->wake();
  std::shared_ptr<Sleeper> listener;
  if (line.blobs.empty() && !draining_) {
    listener = std::make_shared<Sleeper>();
    line.listener = listener;
    co_await listener->sleep(at_most);
  }
  std::vector<Digest> blobs;
  const auto found = part.find(node);
  // Who listens since then is given them: this one's connection may be dead.
  if (found != part.end() && (listener == nullptr || found->second.listener == listener)) {
    found->second.heard_at = Clock::system().monotonic();
    found->second.listener = nullptr;
    blobs.assign(found->second.blobs.begin(), found->second.blobs.end());
    found->second.blobs.clear();
  }
  co_await home.enter();
  co_return blobs;
}

void Calls::drain() {
  draining_ = true;
  for (std::size_t i = 0; i < parts_.size(); ++i)
    parts_.loop(i).post([this, i] {
      for (auto& [node, line] : parts_.part(i))
        if (line.listener != nullptr) line.listener->wake();
    });
}

Calls::Line& Calls::line_of(Part& part, const std::string& node) {
  const Monotonic now = Clock::system().monotonic();
  if (!part.contains(node))
    std::erase_if(part, [&](const auto& entry) { return now - entry.second.heard_at >= kSilence; });
  Line& line = part[node];
  line.heard_at = now;
  return line;
}

}  // namespace wherry::swarm
