#include "node/cli/puller.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/async/scope.h"
#include "common/oci/excerpt.h"
#include "common/oci/hasher.h"
#include "common/oci/media_types.h"

namespace wherry::node {
namespace {

constexpr std::size_t kMaxErrorBytes = 64 * 1024;
constexpr std::size_t kShownErrorBytes = 300;
constexpr std::chrono::milliseconds kBetweenTries{500};
constexpr std::chrono::seconds kLongestRetryAfter{10};

/// What the node says in its error body, or nothing.
std::string message_in(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("errors") || !json["errors"].is_array() || json["errors"].empty()) return {};
  const auto& first = json["errors"][0];
  if (!first.is_object() || !first.contains("message") || !first["message"].is_string()) return {};
  return first["message"].get<std::string>();
}

bool worth_another_try(const Error& error) {
  return error.kind() == ErrorKind::kUpstream || error.kind() == ErrorKind::kTimeout ||
         error.kind() == ErrorKind::kUnavailable;
}

std::chrono::milliseconds pause_after(const Error& error, int tries) {
  const auto asked = error.retry_after();
  if (asked) return std::min<std::chrono::milliseconds>(*asked, kLongestRetryAfter);
  return kBetweenTries * tries;
}

}  // namespace

struct Puller::Pulling {
  explicit Pulling(const ImageName& name) : image(name) {}
  const ImageName& image;
  std::deque<Wanted> blobs;
  bool well = true;
};

Task<bool> Puller::pull(const ImageName& image) {
  progress_.begin(image.text());
  Pulling pulling(image);
  auto collected = co_await collect(pulling, image.reference(), 0);
  if (!collected) {
    progress_.say(fmt::format("{}: {}", image.text(), printable(collected.error().message(), kShownErrorBytes)));
    pulling.well = false;
  }
  // Of an image with a part missing the rest is as good as for a pull that comes back later.
  Scope scope;
  for (std::size_t i = 0; i < kAtATime; ++i) scope.spawn(take_blobs(pulling));
  co_await scope.join();
  progress_.end(pulling.well);
  co_return pulling.well;
}

/// Fetches a manifest and those that it leads to, and lists their blobs.
Task<Result<void>> Puller::collect(Pulling& pulling, Reference reference, std::size_t depth) {
  const RepositoryName& repository = pulling.image.repository();
  auto fetched = co_await manifest(repository, reference);
  if (!fetched) co_return fetched.error();
  progress_.manifest_done();
  const auto want = [&](const Digest& digest, std::optional<std::uint64_t> size) {
    if (!seen_.insert(repository.text() + "@" + digest.to_string()).second) return;
    progress_.expect(size.value_or(0));
    pulling.blobs.push_back({digest, size});
  };
  if (fetched->kind() != ManifestKind::kIndex) {
    if (fetched->config()) want(fetched->config()->digest, fetched->config()->size);
    for (const Descriptor& layer : fetched->layers())
      if (layer.urls.empty()) want(layer.digest, layer.size);  // others' are to be had elsewhere
    co_return Result<void>();
  }
  if (depth >= kMaxDepth)
    co_return Error(ErrorKind::kManifestInvalid, "indexes within indexes, more than {} deep", kMaxDepth);
  const auto blobs = fetched->blob_children();
  std::string there;
  bool any = false;
  for (const Descriptor& entry : fetched->manifests()) {
    if (entry.platform) there += (there.empty() ? "" : ", ") + to_string(*entry.platform);
    if (!platforms_.wants(entry)) continue;
    any = true;
    if (std::binary_search(blobs.begin(), blobs.end(), entry.digest)) {
      want(entry.digest, entry.size);
      continue;
    }
    if (!seen_.insert(repository.text() + "@" + entry.digest.to_string()).second) continue;
    auto child = co_await collect(pulling, Reference(entry.digest), depth + 1);
    if (!child) co_return child;
  }
  if (!any && !fetched->manifests().empty())
    co_return Error(ErrorKind::kManifestUnknown, "it is not there for {}; it is for {}", platforms_.to_string(),
                    there.empty() ? "no platform that it names" : there);
  co_return Result<void>();
}

Task<Result<Manifest>> Puller::manifest(const RepositoryName& repository, const Reference& reference) {
  const std::string url = fmt::format("{}/v2/{}/manifests/{}", node_, repository.text(), reference.to_string());
  Result<Manifest> fetched = Error(ErrorKind::kInternal, "nothing was tried");
  for (int tries = 1; tries <= kTries; ++tries) {
    fetched = co_await manifest_once(url, reference);
    if (fetched || !worth_another_try(fetched.error()) || tries == kTries) break;
    co_await sleep_for(pause_after(fetched.error(), tries));
  }
  co_return fetched;
}

Task<Result<Manifest>> Puller::manifest_once(const std::string& url, const Reference& reference) {
  auto transfer = co_await get(url, true);
  if (!transfer) co_return transfer.error();
  auto bytes = co_await (*transfer)->read_whole(kMaxManifestBytes);
  if (!bytes) co_return bytes.error();
  const http::ClientHead& head = (*transfer)->head();
  std::optional<Digest> stated;
  if (reference.digest() != nullptr) {
    stated = *reference.digest();
  } else if (auto said = Digest::parse(head.header("docker-content-digest"))) {
    stated = *said;
  }
  if (stated && Digest::of(stated->algorithm(), *bytes) != *stated)
    co_return Error(ErrorKind::kCorrupt, "{}: the node sent other bytes than those of {}", url, stated->to_string());
  co_return Manifest::parse(*bytes, head.header("content-type"));
}

Task<void> Puller::take_blobs(Pulling& pulling) {
  while (!pulling.blobs.empty()) {
    const Wanted wanted = pulling.blobs.front();
    pulling.blobs.pop_front();
    auto done = co_await blob(pulling.image.repository(), wanted);
    if (done) {
      progress_.blob_done();
      continue;
    }
    pulling.well = false;
    progress_.say(fmt::format("{}: {}: {}", pulling.image.text(), wanted.digest.to_string(),
                              printable(done.error().message(), kShownErrorBytes)));
  }
}

Task<Result<void>> Puller::blob(const RepositoryName& repository, const Wanted& wanted) {
  const std::string url = fmt::format("{}/v2/{}/blobs/{}", node_, repository.text(), wanted.digest.to_string());
  Result<void> done;
  for (int tries = 1; tries <= kTries; ++tries) {
    std::uint64_t received = 0;
    done = co_await blob_once(url, wanted, received);
    if (done) break;
    progress_.take_back(received);
    if (!worth_another_try(done.error()) || tries == kTries) break;
    co_await sleep_for(pause_after(done.error(), tries));
  }
  co_return done;
}

Task<Result<void>> Puller::blob_once(const std::string& url, const Wanted& wanted, std::uint64_t& received) {
  auto transfer = co_await get(url, false);
  if (!transfer) co_return transfer.error();
  Hasher hasher(wanted.digest.algorithm());
  while (true) {
    auto piece = co_await (*transfer)->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    hasher.update(piece->bytes());
    received += piece->size();
    progress_.received(piece->size());
  }
  if (hasher.finish() != wanted.digest)
    co_return Error(ErrorKind::kCorrupt, "the node sent other bytes than those of that digest");
  co_return Result<void>();
}

Task<Result<std::unique_ptr<http::Transfer>>> Puller::get(const std::string& url, bool is_manifest) {
  http::ClientRequest request("GET", url);
  if (is_manifest) request.header("Accept", media_type::kAcceptManifests);
  auto transfer = co_await client_.open(std::move(request));
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  const int status = head.status();
  if (status == 200) co_return std::move(*transfer);
  const auto retry_after = head.retry_after();
  auto body = co_await (*transfer)->read_whole(kMaxErrorBytes);
  std::string why;
  if (body) why = message_in(*body);
  if (why.empty()) why = "the node answered no more than that";
  Error error(status >= 500 ? ErrorKind::kUnavailable : ErrorKind::kInvalid, "{} ({})", why, status);
  if (retry_after) co_return std::move(error).with_retry_after(*retry_after);
  co_return error;
}

}  // namespace wherry::node
