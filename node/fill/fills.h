// Fills: every blob that is on its way into this node, each fetched once however many ask for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/async/per_loop.h"
#include "common/observe/metrics.h"
#include "common/registry/storage.h"
#include "common/store/fill.h"
#include "node/eviction/cache_space.h"
#include "node/fill/fill_board.h"
#include "node/fill/sources.h"
#include "node/swarm/swarms.h"
#include "node/upstream/questions.h"
#include "node/upstream/upstreams.h"

namespace wherry::node {

/// Joins or starts the one Fill of a digest. A fill lives on the loop that its digest hashes to; it goes on when the
/// client that started it leaves, and where it stopped when its source breaks: with the next source, which is the
/// repository of another client, or with the same one after a pause.
class Fills {
 public:
  /// Whoever sent other bytes than those of a digest is not trusted with it for so long, as far as others are
  /// concerned: its fills of that digest have no readers and no sources of other repositories.
  static constexpr std::chrono::minutes kDistrust{10};
  static constexpr std::size_t kMostDistrusted = 1024;  ///< on each loop; all are forgotten then

  Fills(registry::Storage& storage, CacheSpace& space, const Upstreams& upstreams, Negatives& negatives, Swarms& swarms,
        const std::vector<Loop*>& loops, Metrics& metrics);
  ~Fills();

  /// A fill that somebody waits for.
  struct Joined {
    std::shared_ptr<store::Fill> fill = nullptr;  ///< null when there is none to read
    bool own = true;  ///< fetched on behalf of the repository that it is wanted for: why it fails is said of that one
    bool apart = false;  ///< no fill: one is under way from where nobody else should read; pass it on unstored
    bool began = false;  ///< it began with this
    std::optional<std::uint64_t> said = std::nullopt;  ///< the size, where this repository's upstream was asked for it
  };
  /// The Fill of that digest, for a repository that may see it: its reader is to wait for size() first, which gives
  /// kNoSpace when no room can be made (pass it on unstored). None when the blob came in meanwhile and lies in the
  /// store. Errors: kBlobUnknown and those of Upstream.
  Task<Result<Joined>> join(const RepositoryName& repository, const Digest& digest);

  /// Calls `stored` on any loop for each blob that came in, once it has its row. Before the first join().
  void on_stored(std::function<void(const Digest& digest, std::uint64_t size_bytes)> stored) {
    stored_ = std::move(stored);
  }

  /// What the upstream says of a blob's size; once for all who want it now. Errors: kBlobUnknown and those of Upstream.
  Task<Result<std::uint64_t>> ask_size(const RepositoryName& repository, const Digest& digest);

  /// The Fill that runs for that repository, or null: starts nothing and asks nobody.
  Task<std::shared_ptr<store::Fill>> find(RepositoryName repository, Digest digest);

  /// The fills that are under way, for whoever shows them.
  const FillBoard& board() const { return board_; }

  /// Ends all; readers are told. Call once, from any loop, after Upstreams::cancel().
  Task<void> stop();

 private:
  struct Running;
  struct Part;
  Task<Result<Joined>> join_here(Part& part, const RepositoryName& repository, const Digest& digest,
                                 const RequestContext* request);
  Task<void> run(Part& part, std::shared_ptr<Running> running);
  Task<Result<store::BlobRow>> fetch(Part& part, Running& running);
  Task<Result<void>> take_from(Part& part, Running& running, Sources::Source& from, bool& asked);
  void believe_no(const Running& running);
  Task<void> prepare(Running& running);
  Task<Result<void>> gather(Running& running, Origin& origin, const BlobSource& source,
                            const swarm::Introduction& introduction);
  static void go_alone(Running& running, const Error& why);
  Task<Result<void>> gather_from(Running& running, Origin& origin, const swarm::Introduction& introduction);
  Task<Result<void>> begin(Running& running, std::optional<std::uint64_t> size, const std::string& said_by);
  static void know_size(Running& running, std::uint64_t size);
  Task<Result<void>> drain(Running& running, BlobSource& source, std::optional<std::uint64_t> end);
  Task<Result<void>> place(Running& running, Buffer buffer, std::uint64_t at);
  static Task<Result<void>> take_held(Running& running);
  void note_first_byte(Running& running);
  Task<Result<std::uint64_t>> upstream_size(RepositoryName repository, Digest digest);
  Task<Result<void>> record(const std::vector<RepositoryName>& holders, const Digest& digest,
                            const store::BlobRow& row);

  registry::Storage& storage_;
  CacheSpace& space_;
  const Upstreams& upstreams_;
  Negatives& negatives_;
  Swarms& swarms_;
  Questions<std::uint64_t> sizes_;
  PerLoop<Part> parts_;
  Counter fetched_bytes_;
  Counter kept_bytes_;
  Counter started_;
  Counter failed_;
  Counter resumed_;
  Histogram took_;
  Histogram first_byte_;
  FillBoard board_;
  std::function<void(const Digest&, std::uint64_t)> stored_;
};

}  // namespace wherry::node
