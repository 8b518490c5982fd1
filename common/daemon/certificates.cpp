#include "common/daemon/certificates.h"

#include "common/base/log.h"

namespace wherry {

Result<const TlsIdentity*> Certificates::load(const std::string& name, const TlsFiles& files) {
  if (files.empty()) return nullptr;
  auto identity = TlsIdentity::load(files);
  if (!identity) return identity.error();
  auto& listener = *listeners_.emplace_back(std::make_unique<Listener>(Listener{name, std::move(*identity), {}}));
  metrics_.gauge("wherry_certificate_not_after_seconds",
                 "When the certificate of a listener ends, in seconds since 1970",
                 [held = listener.identity] {
                   return std::chrono::duration<double>(held->not_after().time_since_epoch()).count();
                 },
                 {{"listener", name}});
  if (listener.identity->not_after() < std::chrono::system_clock::now())
    log::warn("a certificate is over its time", {{"listener", name}, {"file", files.certificate}});
  return listener.identity.get();
}

void Certificates::reload() {
  asked_ = true;
  sleeper_.wake();
}

Task<void> Certificates::stop() {
  ending_ = true;
  sleeper_.wake();
  co_await scope_.join();
}

Task<void> Certificates::keep() {
  while (!ending_) {
    if (!asked_) co_await sleeper_.sleep(kEvery);
    if (ending_) break;
    const auto reading =
        std::exchange(asked_, false) ? TlsIdentity::Reading::kAlways : TlsIdentity::Reading::kIfChanged;
    for (const auto& listener : listeners_) co_await look(*listener, reading);
  }
}

Task<void> Certificates::look(Listener& listener, TlsIdentity::Reading reading) {
  const auto read_anew = [&listener, reading] { return listener.identity->reload(reading); };
  auto read = co_await disk_.run(read_anew);
  const std::string complaint = read ? std::string() : read.error().message();
  if (!read && (complaint != listener.complaint || reading == TlsIdentity::Reading::kAlways))
    log::error("a certificate cannot be read anew; the one before stays in use",
               {{"listener", listener.name}, {"why", complaint}});
  if (read && *read) log::info("a certificate was read anew", {{"listener", listener.name}});
  if (!read || *read) listener.complaint = complaint;
}

}  // namespace wherry
