#include "common/swarm/holders.h"

#include <algorithm>

#include "common/base/bytes.h"

namespace wherry::swarm {

Holders::Holders(const std::vector<Loop*>& loops, Metrics& metrics)
    : calls_(loops),
      parts_(loops),
      called_(metrics.counter("wherry_swarm_woken_total", "Nodes asked to give a blob that they hold")) {
  metrics.gauge("wherry_swarm_holdings", "Blobs that nodes say they can give, each node's counted", [this] {
    std::size_t held = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) held += parts_.part(i).book.size();
    return static_cast<double>(held);
  });
}

Task<Result<void>> Holders::note(std::string_view list, const std::string& site, const std::string& node) {
  struct Line {
    Digest blob;
    bool holds;
  };
  std::vector<Line> lines;
  while (!list.empty()) {
    const std::string_view line = take_line(list);
    const bool holds = line.starts_with('+');
    const auto blob = Digest::parse(line.substr(std::min<std::size_t>(1, line.size())));
    if (!blob || (!holds && !line.starts_with('-')))
      co_return Error(ErrorKind::kInvalid, "each line is + or -, and a digest");
    lines.push_back({*blob, holds});
  }
  const auto home = [this](const Line& line) { return home_of(line.blob); };
  const auto note_one = [&](Part& part, const Line& line) {
    if (!line.holds) return part.book.remove(line.blob, site, node);
    const Monotonic now = Clock::system().monotonic();
    if (part.book.add(line.blob, site, node) || now - part.forgot_at < kForgetEvery) return;
    part.forgot_at = now;
    part.book.clear();
    forgotten_.fetch_add(1);
  };
  co_await parts_.visit_homes(lines, home, note_one);
  co_return Result<void>();
}

Task<std::string> Holders::answer(const std::string& node, std::string_view told, bool hangs_on) {
  std::string lines = name() + "\n";
  if (told != name() || !hangs_on) co_return lines;
  const auto wanted = co_await calls_.listen(node, kLongestCall);
  for (const Digest& blob : wanted) lines.append(blob.to_string()).push_back('\n');
  co_return lines;
}

std::vector<std::string> Holders::some(const Digest& blob, const std::string& site,
                                       const std::function<bool(const std::string& node)>& skip) {
  return parts_.part(home_of(blob)).book.some(blob, site, kCalled, skip);
}

Task<void> Holders::call(const Digest& blob, const std::string& site, const std::vector<std::string>& nodes) {
  std::vector<std::string> gone;
  for (const std::string& node : nodes) {
    const bool is_there = co_await calls_.call(node, blob);
    if (is_there)
      called_.add();
    else
      gone.push_back(node);
  }
  const auto home = [&](const std::string&) { return home_of(blob); };
  const auto forget = [&](Part& part, const std::string& node) { part.book.remove(blob, site, node); };
  co_await parts_.visit_homes(gone, home, forget);
}

}  // namespace wherry::swarm
