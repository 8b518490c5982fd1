#include "common/auth/known_certificates.h"

#include "common/base/base64.h"

namespace wherry::auth {

Result<KnownCertificates::Known*> KnownCertificates::find(std::string_view shown, const NodeCertificate& authority,
                                                          WallTime now) {
  if (!authority_ || !authority_->is_same(authority)) {
    known_.clear();
    authority_ = authority;
  }
  auto found = known_.find(shown);
  if (found == known_.end()) {
    const auto der = from_base64(shown);
    if (!der) return Error(ErrorKind::kUnauthorized, "the node's certificate is not in base64");
    auto certificate = NodeCertificate::from_der(*der);
    if (!certificate) return Error(ErrorKind::kUnauthorized, "{}", certificate.error().message());
    auto issued = certificate->check_issuer(authority);
    if (!issued) return issued.error();
    if (known_.size() >= kMost) known_.erase(known_.begin());  // any one: it is checked once more
    found = known_.emplace(shown, std::move(*certificate)).first;
  }
  auto in_time = found->second.certificate().check_time(now);
  if (!in_time) return in_time.error();
  return &found->second;
}

bool KnownCertificates::Known::has_signed(std::string_view words, std::string_view signature) {
  if (words_ == words && signature_ == signature) return true;
  const auto bytes = from_base64(signature);
  if (!bytes || !certificate_.verify(words, *bytes)) return false;
  if (words.size() + signature.size() > kMostWordsBytes) return true;
  words_ = words;
  signature_ = signature;
  return true;
}

}  // namespace wherry::auth
