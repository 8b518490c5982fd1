// DeviceFlow: logins of people at a command line, who say yes in a browser elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "master/identity/oidc/pending.h"
#include "master/identity/oidc/provider.h"

namespace wherry::identity::oidc {

/// The device flow. The provider's device code stays here: who began is given a handle, and the provider is asked no
/// more often than it wants, however often the handle is asked about. On the provider's loop. Source: RFC 8628.
class DeviceFlow {
 public:
  static constexpr std::chrono::seconds kUsualInterval{5};
  static constexpr std::chrono::seconds kSlowerBy{5};
  static constexpr std::chrono::seconds kLongestInterval{60};
  static constexpr std::chrono::minutes kLongest{30};
  static constexpr std::size_t kMaxDeviceCodeBytes = 4096;
  static constexpr std::size_t kMaxUserCodeBytes = 64;

  /// `provider` outlives it.
  explicit DeviceFlow(OidcProvider& provider) : provider_(provider), begun_(provider.clock()) {}

  struct Begun {
    std::string handle;
    std::string user_code;                  ///< printable ASCII
    std::string verification_uri;           ///< where it is to be typed in; is_safe_url()
    std::string verification_uri_complete;  ///< the same with the code in it; may be empty
    std::chrono::seconds interval{};        ///< 1 to kLongestInterval
    std::chrono::seconds expires_in{};      ///< at most kLongest
  };
  /// Errors: kUnsupported when the provider has no such logins; those of OidcProvider.
  Task<Result<Begun>> begin_device();
  /// Who logged in; nothing as long as nobody has, and when it is asked too soon. Once there is somebody, or a refusal,
  /// the handle is of no use any more. Errors: kNotFound for a handle that is none, or whose time is over; kDenied when
  /// the person said no; those of OidcProvider (after kUnavailable it may be asked again).
  Task<Result<std::optional<MasterLogins::Person>>> poll_device(std::string handle);
  /// How long to wait before the next question; nothing for a handle that is none any more.
  std::optional<std::chrono::seconds> interval_of(const std::string& handle);

 private:
  struct Login {
    std::string device_code;
    std::chrono::seconds interval{};
    Monotonic next{};
    bool is_asking = false;
  };
  Result<std::optional<MasterLogins::Person>> refused(const std::string& handle, const std::string& refusal);

  OidcProvider& provider_;
  Pending<Login> begun_;
};

}  // namespace wherry::identity::oidc
