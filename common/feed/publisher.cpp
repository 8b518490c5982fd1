#include "common/feed/publisher.h"

namespace wherry::feed {

void Ring::add(std::shared_ptr<const Segment> segment) {
  if (!segments_.empty() && segment->from() != segments_.back()->to()) {
    // Another history has begun: what was before it must not be sent for what is.
    first_serial_ += segments_.size();
    segments_.clear();
    bytes_ = 0;
  }
  bytes_ += segment->bytes().size();
  segments_.push_back(std::move(segment));
  while (segments_.size() > kMostSegments || (bytes_ > kMostBytes && segments_.size() > 1)) {
    bytes_ -= segments_.front()->bytes().size();
    segments_.pop_front();
    ++first_serial_;
  }
  changed_.wake_all();
}

Ring::Next Ring::next(Place& place, std::shared_ptr<const Segment>& segment) const {
  if (segments_.empty()) return Next::kWait;
  const std::uint64_t last = first_serial_ + segments_.size() - 1;
  if (place.serial == last) return Next::kWait;
  if (place.serial >= first_serial_ - 1 && place.serial != 0) {
    const auto& following = segments_[place.serial + 1 - first_serial_];
    if (following->from() == place.position) {
      segment = following;
      place = Place{segment->to(), place.serial + 1};
      return Next::kSegment;
    }
  }
  // It comes out of the log, or was too slow: it goes on with the segment that begins where it is.
  if (place.position >= segments_.back()->to()) {
    if (place.position == segments_.back()->to()) place.serial = last;
    return Next::kWait;
  }
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i]->from() != place.position || segments_[i]->is_heartbeat()) continue;
    segment = segments_[i];
    place = Place{segment->to(), first_serial_ + i};
    return Next::kSegment;
  }
  place.serial = 0;
  return Next::kLog;
}

void Publisher::publish(const std::shared_ptr<const Segment>& segment) {
  for (std::size_t i = 0; i < rings_.size(); ++i)
    rings_.loop(i).post([&ring = rings_.part(i), segment] { ring.add(segment); });
}

void Publisher::end() {
  for (std::size_t i = 0; i < rings_.size(); ++i) rings_.loop(i).post([&ring = rings_.part(i)] { ring.end(); });
}

}  // namespace wherry::feed
