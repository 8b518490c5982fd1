// FeedService: /wherry/v1/: the feed as followers read it.
#pragma once

#include <atomic>
#include <string>

#include "common/feed/admission.h"
#include "common/feed/heads.h"
#include "common/feed/publisher.h"
#include "common/http/server.h"
#include "common/kv/key_value.h"

namespace wherry::feed {

/// `GET /wherry/v1/feed?from=P[&epoch=N][&chain=HEX]` streams records (record.h) from position P on and does not end:
/// keys, the newest head, then entries as they are committed, each batch closed by a signed head. `chain` is the
/// chain's hash before P: when this log has another there, or is shorter at its origin or in a higher epoch, the two
/// have parted: 409. 410 when P is not in the log any more. `GET
/// /wherry/v1/snapshot[?epoch=&position=&chain=][&after=HEX]` gives the state (snapshot.h); with the base that an
/// earlier answer began with, and the last row that came, it goes on after that. Both come as gzip for who
/// accepts that. Bounded: kMostStreams; a follower that
/// takes nothing for http::Limits::send_silence is let go.
class FeedService final : public http::Service {
 public:
  static constexpr std::size_t kMostStreams = 8192;
  static constexpr std::size_t kMostCompressed = 1024;  ///< with that many streams open, a new one is not compressed
  static constexpr std::size_t kEntriesOfThePage = 2 * 4096;  ///< that are read at once: at least one head closes some
  static constexpr std::string_view kPrefix = "/wherry/v1/";
  static constexpr std::string_view kMediaType = "application/vnd.wherry.feed.v1";

  FeedService(kv::KeyValue& store, Publisher& publisher, Heads& heads, Admission& admission)
      : store_(store), publisher_(publisher), heads_(heads), admission_(admission) {}

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

  std::size_t streams() const { return streams_.load(std::memory_order_relaxed); }

 private:
  Task<Result<void>> stream(http::Exchange& exchange);
  Task<Result<void>> snapshot(http::Exchange& exchange);
  Task<Result<void>> send_all(const SendPiece& send, std::uint64_t position, const Admitted& follower);
  /// The page of the log after `position`; null when no head closes any of it yet.
  Task<Result<std::shared_ptr<const Segment>>> out_of_log(std::uint64_t position);

  kv::KeyValue& store_;
  Publisher& publisher_;
  Heads& heads_;
  Admission& admission_;
  std::atomic<std::size_t> streams_{0};
};

}  // namespace wherry::feed
