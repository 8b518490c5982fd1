// KnownCertificates: certificates of nodes that were found right, so that each is decoded and checked once.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/auth/node_identity.h"

namespace wherry::auth {

/// By what was shown; of one authority at a time. Only what it issued gets in, so nobody else fills it. Of one thread.
class KnownCertificates {
 public:
  static constexpr std::size_t kMost = 1024;            ///< of 6 to 8 KiB each
  static constexpr std::size_t kMostWordsBytes = 2048;  ///< longer ones, with their signature, are not remembered

  class Known {
   public:
    explicit Known(NodeCertificate certificate) : certificate_(std::move(certificate)) {}
    const NodeCertificate& certificate() const { return certificate_; }
    /// Whether its key signed that; `signature` in base64. The last words that it did are remembered: a request is
    /// looked at more than once on its way.
    bool has_signed(std::string_view words, std::string_view signature);

   private:
    NodeCertificate certificate_;
    std::string words_;
    std::string signature_;
  };

  /// The one that `shown` is, DER in base64, issued by `authority` and in its time. Good until the next call. Errors:
  /// kUnauthorized, saying why.
  Result<Known*> find(std::string_view shown, const NodeCertificate& authority, WallTime now);
  std::size_t size() const { return known_.size(); }

 private:
  std::optional<NodeCertificate> authority_;  // of all that are known
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace wherry::auth
