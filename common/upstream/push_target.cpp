#include "common/upstream/push_target.h"

#include <nlohmann/json.hpp>

#include "common/base/bytes.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "common/oci/manifest.h"
#include "common/oci/media_types.h"
#include "common/upstream/upstream.h"

namespace wherry {
namespace {

constexpr std::size_t kMaxRefusalBytes = 64 * 1024;
constexpr std::size_t kShownRefusalBytes = 300;

std::string push_scope(const RepositoryName& repository) { return "repository:" + repository.text() + ":pull,push"; }

Question push_question(std::string method, const RepositoryName& repository, std::string_view rest) {
  Question question;
  question.method = std::move(method);
  question.target = fmt::format("/v2/{}/{}", repository.text(), rest);
  question.scope = push_scope(repository);
  return question;
}

/// The first code and message of an OCI error body.
std::pair<std::string, std::string> refusal_in(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("errors") || !json["errors"].is_array() || json["errors"].empty()) return {};
  const auto& first = json["errors"][0];
  const auto text = [&](const char* key) {
    return first.is_object() && first.contains(key) && first[key].is_string() ? first[key].get<std::string>()
                                                                              : std::string();
  };
  return {printable(text("code"), kShownRefusalBytes), printable(text("message"), kShownRefusalBytes)};
}

ErrorKind kind_of(int status, const std::string& code) {
  if (status == 404 && code == "BLOB_UPLOAD_UNKNOWN") return ErrorKind::kUploadUnknown;
  if (status == 405 || code == "UNSUPPORTED") return ErrorKind::kUnsupported;
  if (status == 416) return ErrorKind::kRangeInvalid;
  if (status == 413) return ErrorKind::kTooLarge;
  if (code == "DIGEST_INVALID") return ErrorKind::kDigestInvalid;
  if (code == "BLOB_UPLOAD_INVALID") return ErrorKind::kRangeInvalid;
  return status == 404 ? ErrorKind::kNotFound : ErrorKind::kInvalid;
}

/// The length that a Range field of an upload tells; "0-0" stands for none, and for one byte.
std::optional<std::uint64_t> length_told(std::string_view range) {
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  if (!range.starts_with("0-")) return std::nullopt;
  const auto last = parse_decimal(range.substr(2), INT64_MAX - 1);
  if (!last) return std::nullopt;
  return *last == 0 ? 0 : *last + 1;
}

}  // namespace

Task<Result<std::unique_ptr<http::Transfer>>> PushTarget::ask(Question question) {
  const std::string what = question.method + " " + question.target.substr(0, question.target.find('?'));
  const std::vector<int> good = question.answers;
  for (const int status : {400, 404, 405, 409, 412, 413, 415, 416, 422}) question.answers.push_back(status);
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer;
  const int status = (*transfer)->head().status();
  if (std::ranges::find(good, status) != good.end()) co_return transfer;
  auto body = co_await (*transfer)->read_whole(kMaxRefusalBytes);
  if (!body && is_down(body.error())) co_return body.error();
  const auto [code, message] = refusal_in(body ? *body : std::string());
  co_return Error(kind_of(status, code), "{} refuses {} ({}{}{}{}{})", url(), what, status, code.empty() ? "" : " ",
                  code, message.empty() ? "" : ": ", message);
}

Task<Result<bool>> PushTarget::has_blob(const RepositoryName& repository, const Digest& digest) {
  auto question = push_question("HEAD", repository, "blobs/" + digest.to_string());
  question.answers = {200, 404};
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  co_return (*transfer)->head().status() == 200;
}

Task<Result<std::optional<Digest>>> PushTarget::resolve(const RepositoryName& repository, const Reference& reference) {
  auto question = push_question("HEAD", repository, "manifests/" + reference.to_string());
  question.answers = {200, 404};
  question.headers.emplace_back("Accept", media_type::kAcceptManifests);
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  if ((*transfer)->head().status() == 404) co_return std::optional<Digest>();
  const auto digest = Digest::parse((*transfer)->head().header("docker-content-digest"));
  if (digest) co_return std::optional<Digest>(*digest);
  Upstream upstream(origin_);
  auto manifest = co_await upstream.manifest(repository, reference);
  if (!manifest) co_return manifest.error();
  co_return std::optional<Digest>(manifest->digest());
}

/// Where a Location leads, as seen from what was asked. A target behind a proxy that ends TLS may say http of itself.
Result<UploadPlace> PushTarget::place_of(const http::ClientHead& head, const std::string& asked) const {
  const std::string base = asked.starts_with('/') ? url() + asked : asked;
  auto location = http::resolve_url(base, std::string(head.header("location")));
  if (head.header("location").empty() || !location)
    return Error(ErrorKind::kUpstream, "{} does not say where an upload goes on", url());
  const auto own = http::Place::of(url());
  if (own && own->scheme == "https" && location->starts_with("http://" + own->host)) location->replace(0, 4, "https");
  UploadPlace place{std::move(*location), 0, 0};
  place.least_chunk_bytes = parse_decimal(head.header("oci-chunk-min-length"), INT64_MAX).value_or(0);
  return place;
}

Task<Result<std::optional<UploadPlace>>> PushTarget::begin(const RepositoryName& repository, const Digest& digest,
                                                           const std::optional<RepositoryName>& from) {
  std::string rest = "blobs/uploads/";
  if (from)
    rest +=
        "?mount=" + http::percent_encode(digest.to_string(), ":") + "&from=" + http::percent_encode(from->text(), "/");
  auto question = push_question("POST", repository, rest);
  if (from) question.scope += " repository:" + from->text() + ":pull";
  question.answers = {201, 202};
  const std::string asked = question.target;
  auto transfer = co_await ask(std::move(question));
  if (!transfer) co_return transfer.error();
  if ((*transfer)->head().status() == 201) co_return std::optional<UploadPlace>();
  auto place = place_of((*transfer)->head(), asked);
  if (!place) co_return place.error();
  co_return std::optional<UploadPlace>(std::move(*place));
}

Task<Result<UploadPlace>> PushTarget::ask_upload(const RepositoryName& repository, std::string url) {
  auto question = push_question("GET", repository, "");
  question.target = url;
  question.answers = {204, 202, 200};
  auto transfer = co_await ask(std::move(question));
  if (!transfer && transfer.error().kind() == ErrorKind::kNotFound)
    co_return Error(ErrorKind::kUploadUnknown, "{}", transfer.error().message());
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  const auto length = length_told(head.header("range"));
  if (!length) co_return Error(ErrorKind::kUnsupported, "{} does not say how far an upload is", this->url());
  UploadPlace place{std::move(url), *length, 0};
  if (head.has_header("location")) {
    auto next = place_of(head, place.url);
    if (!next) co_return next.error();
    place.url = std::move(next->url);
  }
  co_return place;
}

Task<Result<UploadPlace>> PushTarget::send_chunk(const RepositoryName& repository, UploadPlace place,
                                                 std::shared_ptr<http::RequestBody> chunk) {
  const std::uint64_t end = place.offset + chunk->size();
  auto question = push_question("PATCH", repository, "");
  question.target = place.url;
  question.headers.emplace_back("Content-Type", media_type::kBlobBytes);
  question.headers.emplace_back("Content-Range", fmt::format("{}-{}", place.offset, end - 1));
  question.stream = std::move(chunk);
  question.answers = {202, 201, 204};
  auto transfer = co_await ask(std::move(question));
  if (!transfer) co_return transfer.error();
  const auto told = length_told((*transfer)->head().header("range"));
  if (told && *told != end)
    co_return Error(ErrorKind::kRangeInvalid, "{} has {} bytes of an upload that {} were sent of", url(), *told, end);
  auto next = place_of((*transfer)->head(), place.url);
  if (!next) co_return next.error();
  next->offset = end;
  next->least_chunk_bytes = place.least_chunk_bytes;
  co_return next;
}

Task<Result<void>> PushTarget::finish(const RepositoryName& repository, UploadPlace place, const Digest& digest,
                                      std::shared_ptr<http::RequestBody> rest) {
  auto question = push_question("PUT", repository, "");
  question.target = place.url + (place.url.find('?') == std::string::npos ? '?' : '&') +
                    "digest=" + http::percent_encode(digest.to_string(), ":");
  question.headers.emplace_back("Content-Type", media_type::kBlobBytes);
  if (rest != nullptr && place.offset > 0)
    question.headers.emplace_back("Content-Range", fmt::format("{}-{}", place.offset, place.offset + rest->size() - 1));
  question.stream = std::move(rest);
  question.answers = {201, 204};
  auto transfer = co_await ask(std::move(question));
  if (!transfer) co_return transfer.error();
  co_return Result<void>();
}

Task<Result<bool>> PushTarget::put_manifest(const RepositoryName& repository, const Reference& reference,
                                            const Digest& digest, std::string_view media_type, std::string_view bytes) {
  std::string rest = "manifests/" + reference.to_string();
  // Of a tag's bytes a registry takes the SHA-256 unless it is told (distribution-spec main, "Pushing Manifests").
  if (reference.tag() != nullptr && digest.algorithm() != DigestAlgorithm::kSha256)
    rest += "?digest=" + http::percent_encode(digest.to_string(), ":");
  auto question = push_question("PUT", repository, rest);
  question.headers.emplace_back("Content-Type", media_type);
  question.body = bytes;
  question.answers = {201, 200, 202};
  auto transfer = co_await ask(std::move(question));
  if (!transfer) co_return transfer.error();
  co_return (*transfer)->head().has_header("oci-subject");
}

Task<Result<void>> PushTarget::remove(const RepositoryName& repository, const Reference& reference) {
  auto question = push_question("DELETE", repository, "manifests/" + reference.to_string());
  question.scope = "repository:" + repository.text() + ":delete";
  question.answers = {202, 200, 204, 404};
  auto transfer = co_await ask(std::move(question));
  const auto kind = transfer ? ErrorKind::kInternal : transfer.error().kind();
  if (reference.tag() != nullptr && (kind == ErrorKind::kInvalid || kind == ErrorKind::kDigestInvalid))
    co_return Error(ErrorKind::kUnsupported, "{}", transfer.error().message());  // it takes digests alone
  if (!transfer) co_return transfer.error();
  co_return Result<void>();
}

namespace {

/// Where an upload that was begun before goes on; nothing when it has to be begun anew.
Task<Result<std::optional<UploadPlace>>> go_on(PushTarget& target, const RepositoryName& repository,
                                               const std::string& session, std::uint64_t size) {
  if (session.empty()) co_return std::optional<UploadPlace>();
  auto place = co_await target.ask_upload(repository, session);
  if (!place && is_down(place.error())) co_return place.error();
  if (!place || place->offset > size) co_return std::optional<UploadPlace>();
  co_return std::optional<UploadPlace>(std::move(*place));
}

}  // namespace

Task<Result<std::uint64_t>> send_blob(PushTarget& target, const RepositoryName& repository, const Digest& digest,
                                      http::RequestBody& blob, std::string& session,
                                      std::optional<RepositoryName> mount_from,
                                      std::function<Task<Result<void>>(std::uint64_t)> kept) {
  const std::uint64_t size = blob.size();
  auto place = co_await go_on(target, repository, session, size);
  if (!place) co_return place.error();
  if (!*place) {
    auto begun = co_await target.begin(repository, digest, mount_from);
    if (!begun) co_return begun.error();
    if (!*begun) co_return std::uint64_t{0};
    place = std::move(begun);
  }
  UploadPlace at = std::move(**place);
  const std::uint64_t first = at.offset;
  const std::uint64_t chunk_bytes = std::max(kPushChunkBytes, at.least_chunk_bytes);
  std::uint64_t reported = at.offset;
  while (size - at.offset > chunk_bytes) {
    auto chunk = std::make_shared<http::BodyStretch>(blob, at.offset, chunk_bytes);
    auto next = co_await target.send_chunk(repository, at, std::move(chunk));
    if (!next) {
      if (next.error().kind() == ErrorKind::kRangeInvalid) session.clear();
      co_return next.error();
    }
    at = std::move(*next);
    session = at.url;
    Task<Result<void>> keeping = kept(at.offset - reported);
    auto was_kept = co_await std::move(keeping);
    if (!was_kept) co_return was_kept.error();
    reported = at.offset;
  }
  std::shared_ptr<http::RequestBody> rest;
  if (at.offset < size) rest = std::make_shared<http::BodyStretch>(blob, at.offset, size - at.offset);
  auto done = co_await target.finish(repository, at, digest, std::move(rest));
  if (!done) {
    if (!is_down(done.error())) session.clear();
    co_return done.error();
  }
  session.clear();
  Task<Result<void>> keeping = kept(size - reported);
  auto was_kept = co_await std::move(keeping);
  if (!was_kept) co_return was_kept.error();
  co_return size - first;
}

}  // namespace wherry
