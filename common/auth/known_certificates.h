// KnownCertificates: certificates of nodes that were found right, so that each is decoded and checked once.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/auth/node_identity.h"

namespace wherry::auth {

/// By what was shown. Only what the authority issued gets in, so nobody else fills it. Of one thread. Some 10 KiB each.
class KnownCertificates {
 public:
  static constexpr std::size_t kMost = 1024;
  static constexpr std::size_t kMostWordsBytes = 2048;  ///< longer ones, with their signature, are not remembered

  struct Known {
    NodeCertificate certificate;
    NodeCertificate authority;  ///< that issued it
    /// The last words that its key was found to have signed: a request is looked at more than once on its way.
    std::string words;
    std::string signature;
  };

  /// The one that `shown` is, DER in base64, issued by `authority` and in its time. Good until the next call. 0.3 us,
  /// 430 us the first time. Errors: kUnauthorized, saying why.
  Result<Known*> find(std::string_view shown, const NodeCertificate& authority, WallTime now);
  /// Whether its key signed that; `signature` in base64. 90 us, nothing when it was the last question.
  static bool verify(Known& known, std::string_view words, std::string_view signature);
  std::size_t size() const { return known_.size(); }

 private:
  std::map<std::string, Known, std::less<>> known_;
};

}  // namespace wherry::auth
