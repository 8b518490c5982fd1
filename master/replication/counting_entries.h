// counting_entries(): how many entries of the feed a transaction made.
#pragma once

#include <cstdint>

#include "common/feed/log.h"
#include "common/kv/key_value.h"

namespace wherry::replication {

/// The body of a transaction that does what `body` does and tells into `entries` how many entries that appended to the
/// feed. Two reads of what the transaction has read already; both outlive it.
template <class Body>
auto counting_entries(Body& body, std::uint64_t& entries) {
  return [&body, &entries](kv::Transaction& transaction) -> decltype(body(transaction)) {
    const auto before = feed::head(transaction);
    if (!before) return before.error();
    auto done = body(transaction);
    const auto after = feed::head(transaction);
    if (!after) return after.error();
    entries = after->position - before->position;
    return done;
  };
}

}  // namespace wherry::replication
