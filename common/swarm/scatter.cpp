#include "common/swarm/scatter.h"

namespace wherry::swarm {

std::optional<PieceRun> Scatter::lease(Site& site, const PieceSet& missing, std::uint32_t there, std::uint32_t most,
                                       bool starved, Monotonic now) {
  const auto run = lease_of(site, missing, there, most, starved, now);
  if (run)
    for (std::uint32_t piece = run->first; piece < run->first + run->count; ++piece) never_given_.remove(piece);
  return run;
}

std::optional<PieceRun> Scatter::lease_of(Site& site, const PieceSet& missing, std::uint32_t there, std::uint32_t most,
                                          bool starved, Monotonic now) {
  const bool is_the_only_one = never_given_.count() == site.board_.never_given().count();
  if (!is_the_only_one) {
    PieceSet elsewhere = site.board_.never_given();
    elsewhere -= never_given_;
    // Who is starved takes everybody at his word: what he does not miss need not be there.
    if (!starved) site.crossing_.note(elsewhere, missing, now);
    PieceSet fresh = missing;
    fresh &= never_given_;
    if (const auto run = site.board_.lease(fresh, there, most, false, now)) return run;
    elsewhere &= missing;
    if (!starved && site.crossing_.is_worth_waiting_for(elsewhere.count(), now)) return std::nullopt;
  }
  return site.board_.lease(missing, there, most, starved, now);
}

void Scatter::came_back(Site& site, PieceRun run) {
  site.board_.came_back(run);
  for (std::uint32_t piece = run.first; piece < run.first + run.count; ++piece) never_given_.add(piece);
}

}  // namespace wherry::swarm
