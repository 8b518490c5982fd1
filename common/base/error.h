// Errors as values: what every fallible function of the project returns.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace wherry {

/// What went wrong, in terms of who has to do something about it. `oci/error_body.h` maps a kind to its OCI code and
/// HTTP status; nothing else does.
enum class ErrorKind {
  kInvalid,              ///< The input is not in its form, and no kind below says it better.
  kNameInvalid,          ///< Repository name or tag not in the grammar.
  kDigestInvalid,        ///< Digest not in the grammar, or content that does not match it.
  kManifestInvalid,      ///< Manifest that must not be stored.
  kManifestUnknown,      ///< No such manifest or tag in this repository.
  kManifestBlobUnknown,  ///< A manifest names a child that the repository does not hold.
  kBlobUnknown,          ///< No such blob in this repository.
  kUploadInvalid,        ///< A step of an upload that cannot be taken.
  kUploadUnknown,        ///< No such upload session in this repository.
  kRangeInvalid,         ///< A range that cannot be satisfied, or a chunk out of order.
  kSizeInvalid,          ///< A stated length that the body does not have.
  kNameUnknown,          ///< No such repository.
  kNotFound,             ///< Anything else that is not there.
  kUnauthorized,         ///< Nobody has said who asks.
  kDenied,               ///< The one who asks may not.
  kUnsupported,          ///< The operation does not exist here.
  kTooLarge,             ///< Over a stated bound.
  kTooManyRequests,      ///< Over a stated rate.
  kNoSpace,              ///< The disk has no room for it now.
  kUnavailable,          ///< Not now; the same request may do later.
  kUpstream,             ///< The registry behind this one gave no usable answer.
  kUpstreamFailed,       ///< The registry behind this one says that it failed (5xx).
  kUpstreamLimited,      ///< The registry behind this one has had enough requests of this node (429).
  kTimeout,              ///< The other side took too long.
  kClosed,               ///< The other side went away.
  kCancelled,            ///< Somebody here no longer wants it.
  kCorrupt,              ///< Stored data is not what was stored.
  kIo,                   ///< The operating system refused.
  kInternal,             ///< A bug, or an exception of a library.
};

/// A failure: its kind, a message for people that says what to do, and the failure it came from.
class Error {
 public:
  Error(ErrorKind kind, std::string message) : kind_(kind), message_(std::move(message)) {}

  template <class... Args>
  Error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args)
    requires(sizeof...(Args) > 0)
      : kind_(kind), message_(fmt::format(format, std::forward<Args>(args)...)) {}

  ErrorKind kind() const { return kind_; }
  const std::string& message() const { return message_; }
  const Error* cause() const { return cause_.get(); }

  /// A JSON value for the `detail` member of an OCI error body; empty when there is none.
  const std::string& detail_json() const { return detail_json_; }
  Error& with_detail(std::string json) & {
    detail_json_ = std::move(json);
    return *this;
  }
  Error&& with_detail(std::string json) && { return std::move(this->with_detail(std::move(json))); }
  /// For a Retry-After header: when the same request may do.
  std::optional<std::chrono::seconds> retry_after() const { return retry_after_; }
  Error&& with_retry_after(std::chrono::seconds time) && {
    retry_after_ = time;
    return std::move(*this);
  }
  Error&& with_cause(Error cause) && {
    cause_ = std::make_shared<const Error>(std::move(cause));
    return std::move(*this);
  }

  /// The message followed by those of its causes, for logs.
  std::string to_string() const { return cause_ ? message_ + ": " + cause_->to_string() : message_; }

 private:
  ErrorKind kind_;
  std::string message_;
  std::string detail_json_;
  std::optional<std::chrono::seconds> retry_after_;
  std::shared_ptr<const Error> cause_;
};

/// A value or the Error that took its place. Ignoring one does not compile.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;
  Result(Error error) : Base(std::unexpected(std::move(error))) {}  // NOLINT: an Error is a Result of any type
  Result(Base base) : Base(std::move(base)) {}                      // NOLINT: what monadic calls give back
};

/// The error of a system call: kNoSpace for a full disk or quota, else kIo. `what` says what was tried, e.g. "open x".
Error system_error(int errno_value, std::string_view what);

}  // namespace wherry
