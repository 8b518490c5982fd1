#include "common/upstream/upstream.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/bytes.h"
#include "common/http/range.h"
#include "common/http/uri.h"
#include "common/oci/manifest.h"
#include "common/oci/media_types.h"
#include "common/registry/invitations.h"

namespace wherry {
namespace {

using registry::NamePage;
using registry::ReferrerPage;
using registry::StoredManifest;

constexpr std::size_t kMaxListBytes = 16 * 1024 * 1024;  // of a list that an upstream answers

std::string without_parameters(std::string_view content_type) {
  auto type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return std::string(type);
}

std::string pull_scope(const RepositoryName& repository) { return "repository:" + repository.text() + ":pull"; }

/// A question about something in a repository.
Question about(const RepositoryName& repository, std::string_view rest, ErrorKind not_found) {
  Question question;
  question.target = fmt::format("/v2/{}/{}", repository.text(), rest);
  question.scope = pull_scope(repository);
  question.not_found = not_found;
  return question;
}

/// Whether such a part is something to have for who asked from `offset` on. One that was asked for as far as `end` may
/// be wider: not everybody keeps to bounds.
bool may_answer(const http::ContentRange& sent, std::uint64_t offset, const std::optional<std::uint64_t>& end) {
  const http::ByteRange& range = sent.range;
  if (end) return range.first <= offset && offset <= range.last();
  return offset > 0 && range.first == offset && range.last() + 1 == sent.total;
}

/// Where an answer of 303 sends who takes part in swarms.
Result<std::string> place_in(const http::ClientHead& head, const std::string& url) {
  std::string place(head.header("location"));
  if (place.starts_with(registry::kSwarmPath) && place.contains('?')) return place;
  return Error(ErrorKind::kUpstream, "{} sends us to what is no swarm: {}", url, place);
}

/// The next page's `last` in a Link header, or empty.
std::string next_of(std::string_view link) {
  const auto open = link.find('<');
  const auto close = link.find('>');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return {};
  if (link.find("rel=\"next\"", close) == std::string_view::npos &&
      link.find("rel=next", close) == std::string_view::npos)
    return {};
  const auto target = link.substr(open + 1, close - open - 1);
  const auto question = target.find('?');
  if (question == std::string_view::npos) return {};
  return http::query_value(target.substr(question + 1), "last").value_or("");
}

}  // namespace

bool Upstream::is_out_of_reach(const RepositoryName& repository) const {
  return origin_.is_down(pull_scope(repository));
}

Task<Result<ManifestHead>> Upstream::head_manifest(const RepositoryName& repository, const Reference& reference,
                                                   const std::optional<Digest>& known) {
  Question question = about(repository, "manifests/" + reference.to_string(), ErrorKind::kManifestUnknown);
  question.method = "HEAD";
  question.headers.emplace_back("Accept", media_type::kAcceptManifests);
  if (known) question.headers.emplace_back("If-None-Match", "\"" + known->to_string() + "\"");
  ask_for_position(question, reference);
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  const auto position = parse_decimal(head.header(registry::kPositionHeader), INT64_MAX);
  if (head.status() == 304 && known) co_return ManifestHead(known, position);
  auto digest = Digest::parse(head.header("docker-content-digest"));
  if (!digest) co_return ManifestHead(std::nullopt);
  co_return ManifestHead(*digest, position);
}

Task<Result<Buffer>> BlobSource::next() {
  auto piece = co_await transfer_->next();
  if (piece && !piece->empty()) co_await origin_->budget().spend(piece->size());
  co_return piece;
}

Task<Result<StoredManifest>> Upstream::manifest(const RepositoryName& repository, const Reference& reference,
                                                bool refresh) {
  Question question = about(repository, "manifests/" + reference.to_string(), ErrorKind::kManifestUnknown);
  question.cost = refresh ? Question::Cost::kRefresh : Question::Cost::kManifest;
  question.headers.emplace_back("Accept", media_type::kAcceptManifests);
  ask_for_position(question, reference);
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  auto bytes = co_await (*transfer)->read_whole(kMaxManifestBytes);
  if (!bytes && is_down(bytes.error())) co_return bytes.error();
  if (!bytes) co_return Error(ErrorKind::kUpstream, "{}", bytes.error().message());
  const http::ClientHead& head = (*transfer)->head();
  const std::string type = without_parameters(head.header("content-type"));
  const auto nonsense = [&](std::string_view why) {
    return Error(ErrorKind::kUpstream, "{} answered for {}:{} what is no manifest of that name: {}", url(),
                 repository.text(), reference.to_string(), why);
  };
  std::optional<Digest> stated;
  if (reference.digest() != nullptr) stated = *reference.digest();
  const auto said = Digest::parse(head.header("docker-content-digest"));
  if (!stated && said) stated = *said;
  const auto actual = Digest::of(stated ? stated->algorithm() : DigestAlgorithm::kSha256, *bytes);
  if (stated && *stated != actual) co_return nonsense("its digest is " + actual.to_string());
  auto parsed = Manifest::parse(*bytes, type);
  if (!stated && (!parsed || parsed->kind() == ManifestKind::kOpaque)) co_return nonsense("it is not known as one");
  if (!parsed && !media_type::is_valid(type)) co_return nonsense("it has no media type");
  StoredManifest manifest(actual, parsed ? parsed->media_type() : type, std::move(*bytes));
  manifest.set_position(parse_decimal(head.header(registry::kPositionHeader), INT64_MAX));
  co_return manifest;
}

void Upstream::ask_for_position(Question& question, const Reference& reference) const {
  const bool is_parent = origin_.options().name.empty();
  if (is_parent && reference.tag() != nullptr) question.headers.emplace_back(registry::kFollowsHeader, "1");
}

Task<Result<std::uint64_t>> Upstream::blob_size(const RepositoryName& repository, const Digest& digest) {
  Question question = about(repository, "blobs/" + digest.to_string(), ErrorKind::kBlobUnknown);
  question.method = "HEAD";
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  const auto size = head.content_length();
  if (head.status() != 200 || !size) co_return Error(ErrorKind::kUpstream, "{} does not say how long a blob is", url());
  co_return *size;
}

Task<Result<Budget::Slot>> Upstream::turn(const RepositoryName& repository, Budget::Use use) {
  return origin_.budget().slot(repository.text(), use);
}

Task<Result<BlobSource>> Upstream::blob(Budget::Slot turn, const RepositoryName& repository, const Digest& digest,
                                        std::uint64_t offset, bool together, std::optional<std::uint64_t> end) {
  Question question = about(repository, "blobs/" + digest.to_string(), ErrorKind::kBlobUnknown);
  if (together) {
    question.headers.emplace_back(registry::kSwarmHeader, "1");
    question.answers.push_back(303);
  }
  if (end)
    question.headers.emplace_back("Range", fmt::format("bytes={}-{}", offset, *end - 1));
  else if (offset > 0)
    question.headers.emplace_back("Range", fmt::format("bytes={}-", offset));
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  if (head.status() == 303) {
    auto place = place_in(head, url());
    if (!place) co_return place.error();
    co_return BlobSource(origin_, std::move(turn), std::move(*place));
  }
  if (head.status() == 200) {
    const auto size = head.content_length();
    co_return BlobSource(origin_, std::move(turn), std::move(*transfer), 0, size, size);
  }
  const auto content_range = head.header("content-range");
  const auto sent = http::parse_content_range(content_range);
  if (!sent || !may_answer(*sent, offset, end))
    co_return Error(ErrorKind::kUpstream, "{} answered a range that was not asked for: {}", url(), content_range);
  co_return BlobSource(origin_, std::move(turn), std::move(*transfer), sent->range.first, sent->range.last() + 1,
                       sent->total);
}

Task<Result<std::string>> Upstream::invitation(const RepositoryName& repository, const Digest& digest,
                                               InvitationOf of) {
  const bool is_for_swarm = of == InvitationOf::kSwarm;
  std::optional<Budget::Slot> slot;  // no blob comes for a voucher
  if (is_for_swarm) {
    auto taken = co_await turn(repository, Budget::Use::kFill);
    if (!taken) co_return taken.error();
    slot = std::move(*taken);
  }
  Question question = about(repository, "blobs/" + digest.to_string(), ErrorKind::kBlobUnknown);
  std::string wants("1");
  if (!is_for_swarm) wants = registry::kSwarmVoucher;
  question.patient = is_for_swarm;
  question.headers.emplace_back(registry::kSwarmHeader, std::move(wants));
  question.answers = {200, 303};
  auto answer = co_await origin_.ask(std::move(question));
  if (!answer) co_return answer.error();
  if ((*answer)->head().status() != 303)
    co_return Error(ErrorKind::kUpstream, "{} does not invite to the swarm of {}", url(), digest.to_string());
  co_return place_in((*answer)->head(), url());
}

Task<Result<NamePage>> Upstream::names(Question question, std::string member) {
  question.patient = false;
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  auto bytes = co_await (*transfer)->read_whole(kMaxListBytes);
  if (!bytes) co_return Error(ErrorKind::kUpstream, "{}", bytes.error().message());
  const auto json = nlohmann::json::parse(*bytes, nullptr, false);
  const auto bad = [&] { return Error(ErrorKind::kUpstream, "{} answered a list that cannot be read", url()); };
  if (!json.is_object() || !json.contains(member)) co_return bad();
  std::vector<std::string> names;
  if (json[member].is_array()) {
    for (const auto& name : json[member]) {
      if (!name.is_string()) co_return bad();
      names.push_back(name.get<std::string>());
    }
  } else if (!json[member].is_null()) {
    co_return bad();
  }
  co_return NamePage(std::move(names), !next_of((*transfer)->head().header("link")).empty());
}

namespace {

std::string paged(std::string_view path, std::size_t limit, std::string_view last) {
  std::string url = fmt::format("{}?n={}", path, limit);
  if (!last.empty()) url += "&last=" + http::percent_encode(last);
  return url;
}

}  // namespace

Task<Result<NamePage>> Upstream::tags(const RepositoryName& repository, std::string last, std::size_t limit) {
  Question question = about(repository, paged("tags/list", limit, last), ErrorKind::kNameUnknown);
  co_return co_await names(std::move(question), "tags");
}

Task<Result<NamePage>> Upstream::repositories(std::string last, std::size_t limit) {
  Question question;
  question.target = paged("/v2/_catalog", limit, last);
  question.scope = "registry:catalog:*";
  co_return co_await names(std::move(question), "repositories");
}

namespace {

/// The descriptors of an index as they came, of one artifact type if one is asked for; nothing when it cannot be read.
std::optional<std::vector<std::string>> read_referrers(std::string_view bytes, std::string_view artifact_type) {
  bool too_deep = false;  // nlohmann writes what it read by recursion
  const auto bounded = [&](int depth, nlohmann::ordered_json::parse_event_t, const nlohmann::ordered_json&) {
    too_deep = too_deep || depth > static_cast<int>(kMaxManifestDepth);
    return !too_deep;
  };
  const auto json = nlohmann::ordered_json::parse(bytes, bounded, false);
  if (too_deep || !json.is_object() || !json.contains("manifests") || !json["manifests"].is_array())
    return std::nullopt;
  std::vector<std::string> descriptors;
  for (const auto& descriptor : json["manifests"]) {
    if (!descriptor.is_object()) return std::nullopt;
    const auto type = descriptor.find("artifactType");
    if (type != descriptor.end() && !type->is_string()) return std::nullopt;
    // An upstream need not know the filter; ours is promised to the client.
    const bool wanted =
        artifact_type.empty() || (type != descriptor.end() && type->get_ref<const std::string&>() == artifact_type);
    if (wanted) descriptors.push_back(descriptor.dump());
  }
  return descriptors;
}

}  // namespace

Task<Result<ReferrerPage>> Upstream::referrers(const RepositoryName& repository, const Digest& digest,
                                               std::string artifact_type, std::string last, std::size_t limit) {
  std::string rest = paged("referrers/" + digest.to_string(), limit, last);
  if (!artifact_type.empty()) rest += "&artifactType=" + http::percent_encode(artifact_type);
  Question question = about(repository, rest, ErrorKind::kNotFound);
  question.patient = false;
  auto transfer = co_await origin_.ask(std::move(question));
  if (!transfer) co_return transfer.error();
  auto bytes = co_await (*transfer)->read_whole(kMaxListBytes);
  if (!bytes) co_return Error(ErrorKind::kUpstream, "{}", bytes.error().message());
  auto descriptors = read_referrers(*bytes, artifact_type);
  if (!descriptors) co_return Error(ErrorKind::kUpstream, "{} answered referrers that cannot be read", url());
  co_return ReferrerPage(std::move(*descriptors), next_of((*transfer)->head().header("link")));
}

Task<Result<registry::ManifestPage>> Upstream::manifests(const RepositoryName& repository,
                                                         const registry::ManifestQuery& query) {
  std::string rest = paged("_wherry/manifests", query.limit, query.last);
  if (query.untagged) rest += "&untagged=true";
  if (query.only) rest += "&digest=" + query.only->to_string();
  Question question = about(repository, rest, ErrorKind::kNotFound);
  question.patient = false;
  question.headers.emplace_back("Accept", registry::kManifestListType);
  question.answers = {200, 400, 404, 405, 406, 501};  // others say by these that they do not know the path
  auto transfer = co_await origin_.ask(std::move(question));
  const auto none = [&] { return Error(ErrorKind::kNotFound, "{} does not list manifests", url()); };
  if (!transfer && transfer.error().kind() == ErrorKind::kDenied) co_return none();
  if (!transfer) co_return transfer.error();
  const http::ClientHead& head = (*transfer)->head();
  if (head.status() != 200 || head.header("content-type") != registry::kManifestListType) co_return none();
  auto bytes = co_await (*transfer)->read_whole(kMaxListBytes);
  if (!bytes) co_return Error(ErrorKind::kUpstream, "{}", bytes.error().message());
  const auto json = nlohmann::json::parse(*bytes, nullptr, false);
  const auto bad = [&] { return Error(ErrorKind::kUpstream, "{} answered a list that cannot be read", url()); };
  if (!json.is_object() || !json.contains("manifests") || !json["manifests"].is_array()) co_return bad();
  std::vector<Digest> digests;
  for (const auto& text : json["manifests"]) {
    auto digest = Digest::parse(text.is_string() ? text.get_ref<const std::string&>() : std::string());
    if (!digest) co_return bad();
    digests.push_back(*digest);
  }
  co_return registry::ManifestPage(std::move(digests), next_of(head.header("link")));
}

}  // namespace wherry
