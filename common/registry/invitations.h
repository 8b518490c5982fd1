// Invitations: a better way to a large blob than one's own copy from here.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/async/task.h"
#include "common/http/body.h"
#include "common/http/exchange.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"

namespace wherry::registry {

/// A request's header: who asks for a blob takes part in swarms (common/swarm).
inline constexpr std::string_view kSwarmHeader = "wherry-swarm";
/// Its value of who does not, but shares the blob itself and wants the master's word on its pieces.
inline constexpr std::string_view kSwarmVoucher = "voucher";
/// What an invitation begins with.
inline constexpr std::string_view kSwarmPath = "/wherry/v1/swarm/";

class Invitations {
 public:
  virtual ~Invitations() = default;
  /// Asked for each whole blob: whether this request says that it would take one.
  virtual bool would_come(const http::Request& request) const = 0;
  /// Where who may read this blob gets it from others who want it too (path and query); nothing: from here. What is on
  /// its way and cannot be shared before it is whole is given meanwhile: `body` ends then, for who asks for the rest is
  /// invited.
  virtual Task<std::optional<std::string>> invite(const http::Exchange& exchange, const RepositoryName& repository,
                                                  const Digest& digest, std::unique_ptr<http::Body>& body) = 0;
};

}  // namespace wherry::registry
