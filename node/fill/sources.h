// Sources: the repositories that a blob may be fetched from, and which of them is asked next.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/error.h"
#include "common/oci/reference.h"
#include "node/fill/attempts.h"

namespace wherry::node {

/// Those for which a fill runs: each was asked for it by a client. The first began it, and is the only one asked until
/// its upstream has shown that it has it, for clients of the first read what comes. The one in use stays so until it
/// breaks; then it is the next one's turn, and its own again after a pause. Of one loop.
class Sources {
 public:
  static constexpr std::size_t kMost = 4;

  struct Source {
    explicit Source(RepositoryName from) : repository(std::move(from)) {}
    const RepositoryName repository;
    Attempts attempts;
    bool has_it = false;                ///< its upstream said so
    bool dropped = false;               ///< it said that it does not have it, or that we may not
    bool gave = false;                  ///< some of the bytes are from it
    std::optional<Error> error;         ///< its last one
    std::optional<std::uint64_t> said;  ///< the size of all of it
  };

  explicit Sources(RepositoryName first) {
    sources_.reserve(kMost);  // they stay where they are
    sources_.emplace_back(std::move(first));
  }

  /// One whose upstream said that it has it, and of which size. Does nothing when it is there already, or there are
  /// enough.
  void add(const RepositoryName& repository, std::uint64_t said);
  /// The one to ask now; null when none is left. Wait for its pause first.
  Source* next();
  /// It broke after it brought that many bytes: the next one's turn.
  void broke(Source& source, Error error, std::uint64_t brought);
  /// It is not asked again.
  void drop(Source& source, Error error);

  /// The repositories that the blob is of, of which is known now how long it is: those whose upstream says that it has
  /// one of that size, or gave some of it without a word about that. One that said meanwhile that it does not have it,
  /// or that we may not, is not among them.
  std::vector<RepositoryName> holders(std::uint64_t size) const;

  const std::vector<Source>& all() const { return sources_; }
  const Source& first() const { return sources_.front(); }

 private:
  std::vector<Source> sources_;
  std::size_t turn_ = 0;
};

}  // namespace wherry::node
