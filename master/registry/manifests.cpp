// The manifest half of PushService.
#include "common/base/failpoint.h"
#include "common/http/uri.h"
#include "common/oci/error_body.h"
#include "common/registry/tables.h"
#include "master/registry/changes.h"
#include "master/registry/push_service.h"

namespace wherry::master {
namespace {

using registry::Route;

constexpr std::size_t kParsedOnLoopBytes = 64 * 1024;  // a hostile manifest of 4 MiB takes up to 100 ms to read
constexpr std::size_t kMaxTagsAPut = 64;               // `tag=` in one query; the specification asks for ten

/// The tags that a manifest is to have: the reference's own, or those of the query (distribution-spec main, "Pushing
/// Manifests").
Result<std::vector<std::string>> wanted_tags(const Reference& reference, std::string_view query) {
  std::vector<std::string> tags;
  if (reference.tag() != nullptr) tags.push_back(reference.tag()->text());
  for (const std::string& text : http::query_values(query, "tag")) {
    auto tag = Tag::parse(text);
    if (!tag) return tag.error();
    if (tags.size() == kMaxTagsAPut)
      return Error(ErrorKind::kTooLarge, "at most {} tags can be set by one request", kMaxTagsAPut);
    tags.push_back(tag->text());
  }
  return tags;
}

/// The algorithm and value that the bytes must hash to: those of the reference or of `digest=`; SHA-256 otherwise.
Result<Digest> digest_of(const Reference& reference, std::string_view query, std::string_view bytes) {
  std::optional<Digest> stated;
  if (reference.digest() != nullptr) stated = *reference.digest();
  if (const auto text = http::query_value(query, "digest"); text && !stated) {
    auto parsed = Digest::parse(*text);
    if (!parsed) return parsed;
    stated = *parsed;
  }
  const auto actual = Digest::of(stated ? stated->algorithm() : DigestAlgorithm::kSha256, bytes);
  if (stated && *stated != actual)
    return Error(ErrorKind::kDigestInvalid, "the manifest's digest is {}, not {}", actual.to_string(),
                 stated->to_string());
  return actual;
}

/// For who may set new tags alone. Errors: kDenied when one of them names something else already.
Result<void> none_moves(kv::Transaction& transaction, const RepositoryName& repository,
                        const std::vector<std::string>& tags, const Digest& digest) {
  for (const std::string& tag : tags) {
    auto row = transaction.get(registry::tables::tag_key(repository, tag));
    if (!row) return row.error();
    if (*row && **row != digest.binary())
      return Error(ErrorKind::kDenied, "the tag {} is there already, and you have no right to move it (tag.overwrite)",
                   tag);
  }
  return {};
}

}  // namespace

Task<Result<void>> PushService::put_manifest(http::Exchange& exchange, const Route& route,
                                             const auth::Visitor& visitor) {
  const http::Request& request = exchange.request();
  const RepositoryName& repository = *route.repository;
  auto reference = Reference::parse(route.last);
  if (!reference) co_return reference.error();
  auto tags = wanted_tags(*reference, request.query);
  if (!tags) co_return tags.error();
  auto body = co_await exchange.read_whole_body(kMaxManifestBytes);
  if (!body) co_return body.error();
  auto still = still_may(route, visitor, auth::Permission::kPush);
  if (!still) co_return still;
  auto admitted = storage_.space().admit(body->size());
  if (!admitted) co_return admitted;
  Result<Manifest> manifest = Error(ErrorKind::kInternal, "not parsed");
  Result<Digest> digest = Error(ErrorKind::kInternal, "not hashed");
  const auto read = [&]() -> Result<void> {
    manifest = Manifest::parse(*body, request.header("content-type"));
    digest = digest_of(*reference, request.query, *body);
    return {};
  };
  Result<void> was_read;
  if (body->size() <= kParsedOnLoopBytes)
    was_read = read();
  else
    was_read = co_await storage_.blobs().pool().run(read);
  if (!was_read) co_return was_read;
  if (!manifest) co_return manifest.error();
  if (!digest) co_return digest.error();

  const WallTime now = sessions_.clock().wall();
  const bool may_overwrite = still_may(route, visitor, auth::Permission::kOverwrite).has_value();
  auto stored = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    auto free = may_overwrite ? Result<void>() : none_moves(transaction, repository, *tags, *digest);
    if (!free) return free;
    return store_manifest(transaction, repository, *digest, *manifest, *body, *tags, now);
  });
  if (!stored) co_return stored;
  failpoint("before-answer");

  auto response = registry::v2_response(201);
  response.header("Location", fmt::format("/v2/{}/manifests/{}", repository.text(), reference->to_string()));
  response.header("Docker-Content-Digest", digest->to_string());
  if (manifest->subject()) response.header("OCI-Subject", manifest->subject()->digest.to_string());
  if (http::query_value(request.query, "tag"))
    for (const std::string& tag : *tags) response.header("OCI-Tag", tag);
  co_return co_await exchange.send(std::move(response));
}

Task<Result<void>> PushService::delete_manifest(http::Exchange& exchange, const Route& route) {
  const RepositoryName& repository = *route.repository;
  auto reference = Reference::parse(route.last);
  if (!reference) co_return reference.error();
  const WallTime now = sessions_.clock().wall();
  auto erased = co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    return remove_reference(transaction, repository, *reference, now);
  });
  if (!erased) co_return erased;
  failpoint("before-answer");
  co_return co_await exchange.send(registry::v2_response(202));
}

}  // namespace wherry::master
