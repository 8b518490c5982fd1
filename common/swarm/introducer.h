// Introducer: the parent's part in a swarm: who takes part, whom each meets, and which piece goes to whom.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "common/async/per_loop.h"
#include "common/async/semaphore.h"
#include "common/auth/identity.h"
#include "common/auth/node_authority.h"
#include "common/http/server.h"
#include "common/observe/metrics.h"
#include "common/registry/catalog.h"
#include "common/registry/invitations.h"
#include "common/registry/storage.h"
#include "common/swarm/arrivals.h"
#include "common/swarm/holders.h"
#include "common/swarm/introduction.h"
#include "common/swarm/seals.h"
#include "common/swarm/site_map.h"
#include "common/swarm/swarm.h"
#include "common/swarm/torrent_book.h"

namespace wherry::swarm {

struct IntroducerOptions {
  /// swarm.min-bytes: smaller blobs are sent whole. At this size ten nodes are done in 0.4 of the time that they take
  /// without each other, and one alone takes 1.02 of it (bench/swarm/README.md).
  std::uint64_t min_bytes = std::uint64_t{1} << 20;
};

/// The file in a data directory with the authority of who takes part in the swarms that are introduced here.
inline std::string authority_file(const std::string& data) { return data + "/swarm-ca.pem"; }

/// Of the name of a site.
inline constexpr std::size_t kMostSiteBytes = 64;

/// The node that signed a request; nothing when none did. Any loop. Errors: kUnauthorized.
using NodeOf = std::function<Result<std::optional<auth::Identity>>(const http::Request& request)>;

/// A registered node that asks for a large blob, and says that it takes part in swarms, is sent (303) to
///
///     POST /wherry/v1/swarm/DIGEST?repository=&until=&ticket=&port=&site=&key=[&bridge=0]
///         an Introduction; bridge=0: it is to meet nobody of another site
///     POST /wherry/v1/swarm/DIGEST/voucher?repository=&until=&ticket=
///         the master's word on its pieces, or nothing
///     POST /wherry/v1/swarm/DIGEST/lease[?starved=1]      (Wherry-Member, the pieces that are missing)
///         206: pieces; 204: none to give now, or (Retry-After) what is missing comes from other sites; 202: what is
///         not here yet is on its way
///     POST /wherry/v1/swarm/DIGEST/neighbours?known=      (Wherry-Member)
///         more of them, for who knows few
///     POST /wherry/v1/swarm/members                       (lines of DIGEST MEMBER PIECES, or "gone")
///         who is still here; gives those that ended
///     POST /wherry/v1/swarm/holdings?site=&life=&told=    (lines of + or -, DIGEST)
///         what it holds; gives what others want of it
///
/// The ticket says that this node may read that blob, as the registry found when it asked; the certificate that it gets
/// is of this swarm alone, by an authority of this parent's own, for a day. When a node is removed all swarms end and
/// their members ask anew: nobody who was in one stays in it. A blob that is on its way in itself, by a swarm above, is
/// given as far as it has come; when it ends otherwise than well, so does its swarm. Each blob's swarm lives on the
/// loop that its digest hashes to.
class Introducer final : public http::Service, public registry::Invitations {
 public:
  static constexpr std::size_t kMostSwarms = 1024;     ///< on each loop
  static constexpr std::size_t kMostMembers = 16'384;  ///< of one
  /// For their turn, in one; others come again: what is missing around one is soon out of date. With 16,384, the last
  /// of 1,000 simulated nodes was done at 1.39 times the bound instead of 1.29.
  static constexpr std::size_t kMostWaiting = 16;
  /// So long who asks for what is still to come waits for it here: then he is told to come again.
  static constexpr std::chrono::milliseconds kLongestLook{2'000};
  static constexpr std::chrono::milliseconds kLookEvery{20};
  static constexpr std::size_t kSeenAtOnce = 1024;      ///< members that are looked at for a site_map() in one go
  static constexpr std::chrono::seconds kCallEvery{2};  ///< holders of a site
  static constexpr std::chrono::seconds kTicketValidity{60};
  static constexpr std::chrono::hours kCertificateValidity{24};

  /// All outlive it. `arrivals`: null where nothing comes by a swarm.
  Introducer(registry::Storage& storage, registry::Blobs& blobs, TorrentBook& torrents, const Arrivals* arrivals,
             NodeOf node_of, auth::NodeAuthority authority, IntroducerOptions options, const std::vector<Loop*>& loops,
             Metrics& metrics);
  ~Introducer() override;

  bool would_come(const http::Request& request) const override;
  Task<std::optional<std::string>> invite(const http::Exchange& exchange, const RepositoryName& repository,
                                          const Digest& digest, std::unique_ptr<http::Body>& body) override;

  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

  /// Somebody is not to take part any more: all begin anew. Any loop.
  void end_all() { epoch_.fetch_add(1); }
  /// Lets go of who waits to be called. Any loop, at once.
  void drain() { holders_.drain(); }

  /// Who takes part now, and what each last said that it has. From any loop: visits all, and stays nowhere for long.
  Task<SiteMap> site_map();

 private:
  struct Part;
  struct Reader;
  struct Newcomer;
  struct Lease;
  struct Outcome;
  /// Does `work`, which does not wait, with the part of that digest's loop, on that loop.
  template <class Work>
  Task<std::invoke_result_t<const Work&, Part&>> at(const Digest& digest, const Work& work);
  /// Who shows a ticket.
  Result<Reader> reader_of(const http::Exchange& exchange, const Digest& digest, Seals::TicketTo what) const;
  static Result<Newcomer> newcomer_of(const http::Exchange& exchange, Reader reader);
  /// On the digest's loop.
  Result<Introduction> admit(Part& part, const SharedTorrent& torrent, const Newcomer& newcomer);
  /// What who asks for a lease shows.
  struct Ask;
  /// On the digest's loop: once it is his turn, and there is one for him; he waits for what is still to come.
  Task<Result<Outcome>> next_lease(Part& part, const Digest& digest, const Ask& ask);
  Result<Scatter::Answer> choose(Swarm& swarm, const Ask& ask);
  std::optional<Arrival> arrival_of(const Digest& digest) const;
  /// Sees how much of the blob is here; gives by what the rest comes, null once it is held. Errors: kNotFound when it
  /// cannot be had that way any more.
  Task<Result<std::shared_ptr<Transfer>>> look(Swarm& swarm);
  Task<Result<void>> introduce(http::Exchange& exchange, const Digest& digest);
  Task<Result<void>> voucher(http::Exchange& exchange, const Digest& digest);
  Task<Result<void>> lease(http::Exchange& exchange, const Digest& digest);
  Task<Result<void>> neighbours(http::Exchange& exchange, const Digest& digest);
  Task<Result<void>> hear(http::Exchange& exchange);
  Task<Result<void>> holdings(http::Exchange& exchange);
  Task<void> forget_member(const std::string& node);
  Task<void> call_holders(const Digest& digest, const std::string& site);
  Task<Result<void>> send_lease(http::Exchange& exchange, const Lease& lease);
  Task<Result<SharedTorrent>> torrent_of(const RepositoryName& repository, const Digest& digest);
  /// On the digest's loop: it was sent.
  void count_lease(const Lease& lease);
  /// On the part's loop.
  Task<void> see(Part& part, SiteMap& map);
  Result<std::string> node_name(const http::Request& request) const;
  std::size_t home_of(const Digest& digest) const { return digest.hash() % parts_.size(); }
  /// On the digest's loop; null when there is none, or it ended.
  std::shared_ptr<Swarm> find(Part& part, const Digest& digest);
  /// On the part's loop: ends the swarms in which nobody takes part any more.
  static void sweep(Part& part, Monotonic now);
  Task<void> sweep_all();
  Result<std::shared_ptr<Swarm>> find_or_make(Part& part, const SharedTorrent& torrent, Monotonic now);

  registry::Storage& storage_;
  registry::Blobs& blobs_;
  const NodeOf node_of_;
  const auth::NodeAuthority authority_;
  const std::string authority_pem_;
  const IntroducerOptions options_;
  const Seals seals_;
  TorrentBook& torrents_;
  const Arrivals* const arrivals_;
  std::atomic<std::uint64_t> epoch_{0};
  std::atomic<std::int64_t> swept_in_{0};  // the second of the last sweep of all
  Holders holders_;
  PerLoop<Part> parts_;
  Counter introductions_;
  Counter leased_bytes_;
  Counter leased_pieces_;
  Counter leased_again_;
  Counter scattered_;
  Counter scattered_bytes_;
};

}  // namespace wherry::swarm
