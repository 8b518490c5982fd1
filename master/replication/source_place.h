// SourcePlace: how far a source's feed was read.
#pragma once

#include <optional>
#include <string>

#include "common/feed/log.h"
#include "master/api/call.h"

namespace wherry::replication {

/// How far it was read, and whom it is believed from.
struct SourcePlace {
  std::optional<feed::Head> at;  ///< nothing: everything is to be compared
  std::string key;               ///< 64 hexadecimal digits: who signed when it was read last; empty: never

  api::Json to_json() const;
  /// Errors: kCorrupt for another form.
  static Result<SourcePlace> parse(const api::Json& document);
};

/// Whether a head is of a lower epoch, or of the same and a lower position.
bool is_before(const feed::Head& head, const feed::Head& other);

}  // namespace wherry::replication
