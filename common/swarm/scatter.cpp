#include "common/swarm/scatter.h"

namespace wherry::swarm {

Scatter::Answer Scatter::lease(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now) {
  if (!ask.bridged) return {board.lease(ask.missing, ask.there, ask.most, ask.starved, now)};
  const Answer answer = lease_bridged(board, crossing, ask, now);
  if (answer.run)
    for (std::uint32_t piece = answer.run->first; piece < answer.run->first + answer.run->count; ++piece)
      never_given_.remove(piece);
  return answer;
}

Scatter::Answer Scatter::lease_bridged(LeaseBoard& board, Crossing& crossing, const Ask& ask, Monotonic now) const {
  PieceSet elsewhere = board.never_given();
  elsewhere -= never_given_;
  if (elsewhere.count() > 0) {
    PieceSet crosses = elsewhere;
    crosses &= ask.missing;
    // Who is starved takes everybody at his word: what he does not miss need not be there.
    if (!ask.starved) crossing.note(elsewhere.count() - crosses.count(), now);
    PieceSet fresh = ask.missing;
    fresh &= never_given_;
    if (const auto run = board.lease(fresh, ask.there, ask.most, false, now)) return {run};
    if (!ask.starved && crossing.is_worth_waiting_for(crosses.count(), now)) return {std::nullopt, true};
  }
  return {board.lease(ask.missing, ask.there, ask.most, ask.starved, now)};
}

void Scatter::came_back(LeaseBoard& board, PieceRun run) {
  board.came_back(run);
  for (std::uint32_t piece = run.first; piece < run.first + run.count; ++piece) never_given_.add(piece);
}

}  // namespace wherry::swarm
