#include "common/oci/error_body.h"

#include "common/base/json.h"

namespace wherry {
namespace {

struct Wire {
  int status;
  std::string_view code;
  std::string_view told{};  ///< Instead of the message, when that is not for clients.
};

constexpr std::string_view kOurFault =
    "the registry failed to handle this request; its operator finds the reason in the log";

constexpr Wire wire(ErrorKind kind, Traffic traffic) {
  switch (kind) {
    case ErrorKind::kInvalid: return {400, "INVALID"};
    case ErrorKind::kNameInvalid: return {400, "NAME_INVALID"};
    case ErrorKind::kDigestInvalid: return {400, "DIGEST_INVALID"};
    case ErrorKind::kManifestInvalid: return {400, "MANIFEST_INVALID"};
    case ErrorKind::kManifestUnknown: return {404, "MANIFEST_UNKNOWN"};
    case ErrorKind::kManifestBlobUnknown: return {400, "MANIFEST_BLOB_UNKNOWN"};
    case ErrorKind::kBlobUnknown: return {404, "BLOB_UNKNOWN"};
    case ErrorKind::kUploadInvalid: return {400, "BLOB_UPLOAD_INVALID"};
    case ErrorKind::kUploadUnknown: return {404, "BLOB_UPLOAD_UNKNOWN"};
    case ErrorKind::kRangeInvalid: return {416, traffic == Traffic::kPush ? "BLOB_UPLOAD_INVALID" : "RANGE_INVALID"};
    case ErrorKind::kSizeInvalid: return {400, "SIZE_INVALID"};
    case ErrorKind::kNameUnknown: return {404, "NAME_UNKNOWN"};
    case ErrorKind::kNotFound: return {404, "NOT_FOUND"};
    case ErrorKind::kUnauthorized: return {401, "UNAUTHORIZED"};
    case ErrorKind::kDenied: return {403, "DENIED"};
    case ErrorKind::kUnsupported: return {405, "UNSUPPORTED"};
    case ErrorKind::kTooLarge: return {413, "SIZE_INVALID"};
    case ErrorKind::kTooManyRequests: return {429, "TOOMANYREQUESTS"};
    case ErrorKind::kNoSpace:
      return {507, "UNAVAILABLE", "the registry has no room left to store this; its operator has to make some"};
    case ErrorKind::kUnavailable: return {503, "UNAVAILABLE"};
    case ErrorKind::kUpstream: return {502, "UNAVAILABLE"};
    case ErrorKind::kUpstreamFailed: return {502, "UNAVAILABLE"};
    // Not 429: containerd would ask the same node again at once, five times.
    case ErrorKind::kUpstreamLimited: return {503, "UNAVAILABLE"};
    case ErrorKind::kTimeout: return {504, "UNAVAILABLE"};
    case ErrorKind::kClosed: return {500, "UNKNOWN"};
    case ErrorKind::kCancelled: return {503, "UNAVAILABLE"};
    case ErrorKind::kCorrupt:
    case ErrorKind::kIo:
    case ErrorKind::kInternal: return {500, "UNKNOWN", kOurFault};
  }
  return {500, "UNKNOWN", kOurFault};
}

}  // namespace

std::string_view error_code(ErrorKind kind, Traffic traffic) { return wire(kind, traffic).code; }

int http_status(ErrorKind kind) { return wire(kind, Traffic::kPull).status; }

std::string_view told_message(const Error& error) {
  const Wire line = wire(error.kind(), Traffic::kPull);
  return line.told.empty() ? std::string_view(error.message()) : line.told;
}

std::string error_body(const Error& error, Traffic traffic) {
  const Wire line = wire(error.kind(), traffic);
  std::string out = R"({"errors":[{"code":")";
  out.append(line.code);
  out.append(R"(","message":)");
  append_json_string(out, told_message(error));
  if (line.told.empty() && !error.detail_json().empty()) {
    out.append(R"(,"detail":)");
    out.append(error.detail_json());
  }
  out.append("}]}");
  return out;
}

}  // namespace wherry
