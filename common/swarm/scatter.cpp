#include "common/swarm/scatter.h"

namespace wherry::swarm {

Scatter::Answer Scatter::lease(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now) {
  if (!ask.bridged) return {board.lease(ask.missing, ask.there, ask.most, ask.starved, now)};
  const Answer answer = lease_bridged(board, crossing, ask, now);
  if (answer.run) never_given_.remove(*answer.run);
  return answer;
}

Scatter::Answer Scatter::lease_bridged(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now) const {
  PieceSet near = board.never_given();  // of what was given elsewhere alone
  near -= never_given_;
  const std::uint32_t elsewhere = near.count();
  if (elsewhere > 0) {
    near -= ask.missing;
    // Who is starved takes everybody at his word: what he does not miss need not be there.
    if (!ask.starved) crossing.note(near.count(), now);
    PieceSet fresh = ask.missing;
    fresh &= never_given_;
    if (const auto run = board.lease(fresh, ask.there, ask.most, false, now)) return {run};
    if (!ask.starved && crossing.is_worth_waiting_for(elsewhere - near.count(), now)) return {std::nullopt, true};
  }
  return {board.lease(ask.missing, ask.there, ask.most, ask.starved, now)};
}

void Scatter::came_back(LeaseBoard& board, PieceRun run) {
  board.came_back(run);
  never_given_.add(run);
}

}  // namespace wherry::swarm
