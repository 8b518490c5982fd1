#include "master/airgap/exporter.h"

#include <algorithm>

#include "common/async/sleep.h"
#include "common/base/bytes.h"
#include "common/base/json.h"
#include "common/feed/feed_service.h"
#include "common/feed/state.h"
#include "common/oci/excerpt.h"
#include "common/oci/hasher.h"
#include "common/oci/media_types.h"

namespace wherry::master {
namespace {

constexpr std::size_t kMostAnswerBytes = 64 * 1024;
constexpr std::size_t kShownAnswerBytes = 300;
constexpr std::string_view kTagAnnotation = "org.opencontainers.image.ref.name";

Error changed_too_fast() {
  return Error(ErrorKind::kUpstream, "manifests are deleted faster than they can be exported; try again");
}

/// What the records of a snapshot say of manifests, and nothing else: those in `repositories`.
class OlderManifests {
 public:
  explicit OlderManifests(const bundle::Names::Repositories& repositories) : repositories_(repositories) {}

  Result<void> take(std::string_view piece) {
    reader_.feed(piece);
    while (true) {
      auto record = reader_.next();
      if (!record) return record.error();
      if (!*record) return {};
      if ((*record)->kind == feed::RecordKind::kRow) take_row((*record)->payload);
    }
  }
  const std::vector<std::pair<RepositoryName, Digest>>& found() const { return found_; }

 private:
  void take_row(std::string_view payload) {
    const auto key = take_text(payload);
    if (!key) return;
    const feed::StateRow row = feed::parse_state_row(*key);
    if (row.digest.empty()) return;
    auto repository = RepositoryName::parse(row.repository);
    auto digest = Digest::from_binary(row.digest);
    if (!repository || !digest) return;
    const auto place = repositories_.find(*repository);
    if (place == repositories_.end() || place->second.manifests.contains(*digest)) return;
    found_.emplace_back(std::move(*repository), *digest);
  }

  const bundle::Names::Repositories& repositories_;
  feed::RecordReader reader_;
  std::vector<std::pair<RepositoryName, Digest>> found_;
};

}  // namespace

Task<Result<void>> Exporter::run() {
  for (int attempts = 0; attempts < kAttempts; ++attempts) {
    auto whole = co_await attempt();
    if (!whole) co_return whole.error();
    if (*whole) co_return co_await disk_.run([this] { return tar_.finish(); });
    co_await sleep_for(kBetween);
  }
  co_return changed_too_fast();
}

/// False when a manifest was gone.
Task<Result<bool>> Exporter::attempt() {
  facts_ = {};
  manifests_.clear();
  list_.clear();
  needed_.clear();
  optional_.clear();
  counts_ = {};
  bundle::Names names;
  auto done = co_await disk_.run([this] { return tar_.restart(); });
  if (done) done = co_await add(bundle::kLayoutFile, std::string(bundle::kLayoutContent));
  if (done) done = co_await write_names(names);
  if (!done) co_return done.error();
  auto whole = co_await write_manifests(names);
  if (!whole || !*whole) co_return whole;
  if (since_ > 0) done = co_await leave_out_older(names);
  if (done) done = co_await write_blobs();
  if (done) done = co_await write_index(names);
  if (done) done = co_await add(bundle::kFactsFile, facts_.to_json());
  if (!done) co_return done.error();
  co_return true;
}

Task<Result<std::unique_ptr<http::Transfer>>> Exporter::get(const std::string& target, bool is_manifest) {
  http::ClientRequest request("GET", server_ + target);
  if (is_manifest) request.header("Accept", media_type::kAcceptManifests);
  co_return co_await client_.open(std::move(request));
}

namespace {

Task<Error> refusal(http::Transfer& answer, std::string target) {
  const int status = answer.head().status();
  auto text = co_await answer.read_whole(kMostAnswerBytes);
  const std::string said = text ? printable(*text, kShownAnswerBytes) : std::string();
  if (status == 410)
    co_return Error(ErrorKind::kInvalid, "the master's log does not go back so far any more: export without --since");
  if (status == 409) co_return Error(ErrorKind::kInvalid, "the master has not come to that position yet: {}", said);
  co_return Error(ErrorKind::kUpstream, "{}: status {} {}", target, status, said);
}

}  // namespace

Task<Result<void>> Exporter::write_names(bundle::Names& names) {
  const bool whole = since_ == 0;
  const std::string prefix(feed::FeedService::kPrefix);
  const std::string target = whole ? prefix + "snapshot" : fmt::format("{}feed?from={}", prefix, since_ + 1);
  tar_.begin(std::string(whole ? bundle::kSnapshotFile : bundle::kFeedFile));
  auto written = co_await write_records(target, names);
  if (written) written = co_await disk_.run([this] { return tar_.end(); });
  if (!written) co_return written;
  names.finish();
  const feed::Head last = names.last_head().value_or(feed::Head());
  facts_.since = since_;
  facts_.position = counts_.position = last.position;
  facts_.epoch = last.epoch;
  co_return Result<void>();
}

/// A snapshot ends by itself. Of the feed, which does not, all up to the newest signed head, which is told first.
Task<Result<void>> Exporter::write_records(const std::string& target, bundle::Names& names) {
  auto stream = co_await get(target);
  if (!stream) co_return stream.error();
  if ((*stream)->head().status() != 200) co_return co_await refusal(**stream, target);
  feed::RecordReader reader;
  Hasher hasher;
  std::optional<std::uint64_t> newest;
  std::uint64_t reached = since_;
  bool at_end = false;
  while (!at_end) {
    auto piece = co_await (*stream)->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) {
      if (since_ > 0 || !reader.at_boundary())
        co_return Error(ErrorKind::kUpstream, "{}: the stream ended before its end", target);
      break;
    }
    reader.feed(as_text(piece->bytes()));
    std::string out;
    while (!at_end) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      feed::append_record(out, (*record)->kind, (*record)->payload);
      auto taken = names.take(**record);
      if (!taken) co_return taken;
      if (names.has_hidden())
        co_return Error(ErrorKind::kInvalid, "the master hides a part of its names from this export");
      if (since_ == 0) continue;
      if ((*record)->kind == feed::RecordKind::kEntry) {
        auto change = feed::Change::decode((*record)->payload);
        if (!change) co_return change.error();
        reached = change->position();
      }
      if ((*record)->kind != feed::RecordKind::kHead) continue;
      auto head = feed::SignedHead::decode((*record)->payload);
      if (!head) co_return head.error();
      if (!newest) newest = head->head.position;
      at_end = reached >= *newest && head->head.position == reached;
    }
    hasher.update(out);
    auto written = co_await append(out);
    if (!written) co_return written;
  }
  facts_.names = hasher.finish();
  co_return Result<void>();
}

Task<Result<std::optional<std::pair<Manifest, std::string>>>> Exporter::manifest(const RepositoryName& repository,
                                                                                 const Digest& digest) {
  using Found = std::optional<std::pair<Manifest, std::string>>;
  const std::string target = fmt::format("/v2/{}/manifests/{}", repository.text(), digest.to_string());
  auto answer = co_await get(target, true);
  if (!answer) co_return answer.error();
  const int status = (*answer)->head().status();
  if (status == 404) co_return Found();
  if (status != 200) co_return co_await refusal(**answer, target);
  auto bytes = co_await (*answer)->read_whole(kMaxManifestBytes);
  if (!bytes) co_return bytes.error();
  if (Digest::of(digest.algorithm(), *bytes) != digest)
    co_return Error(ErrorKind::kCorrupt, "{}: the master sent other bytes than those of that digest", target);
  auto read = Manifest::parse(*bytes, (*answer)->head().header("content-type"));
  if (!read) co_return read.error();
  co_return Found(std::pair(std::move(*read), std::move(*bytes)));
}

Task<Result<bool>> Exporter::write_manifests(const bundle::Names& names) {
  for (const auto& [repository, said] : names.repositories()) {
    for (const auto& [digest, is_there] : said.manifests) {
      if (!is_there) continue;
      auto found = co_await manifest(repository, digest);
      if (!found) co_return found.error();
      if (!*found) co_return false;
      const Manifest& read = (*found)->first;
      for (const Digest& blob : read.blob_children()) needed_.emplace(repository, blob);
      for (const Digest& blob : read.optional_children()) optional_.emplace(repository, blob);
      const Described described{read.media_type(), (*found)->second.size()};
      if (!manifests_.emplace(digest, described).second) continue;  // another repository's, too
      if (manifests_.size() > bundle::kMostManifests)
        co_return Error(ErrorKind::kInvalid, "more than {} manifests are too many for one bundle",
                        bundle::kMostManifests);
      list_ += fmt::format("{} {}\n", digest.to_string(), read.media_type());
      auto written = co_await add(bundle::blob_file(digest), std::move((*found)->second));
      if (!written) co_return written.error();
    }
  }
  counts_.manifests = manifests_.size();
  facts_.manifests = Digest::of(DigestAlgorithm::kSha256, list_);
  auto listed = co_await add(bundle::kManifestsFile, list_);
  if (!listed) co_return listed.error();
  co_return true;
}

Task<Result<void>> Exporter::leave_out_older(const bundle::Names& names) {
  const std::string target = fmt::format("{}snapshot", feed::FeedService::kPrefix);
  auto stream = co_await get(target);
  if (!stream) co_return stream.error();
  if ((*stream)->head().status() != 200) co_return co_await refusal(**stream, target);
  OlderManifests older(names.repositories());
  while (true) {
    auto piece = co_await (*stream)->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    auto taken = older.take(as_text(piece->bytes()));
    if (!taken) co_return taken;
  }
  for (const auto& [repository, digest] : older.found()) {
    auto found = co_await manifest(repository, digest);
    if (!found) co_return found.error();
    if (!*found) continue;
    for (const Digest& blob : (*found)->first.blob_children()) {
      needed_.erase({repository, blob});
      optional_.erase({repository, blob});
    }
  }
  co_return Result<void>();
}

Task<Result<void>> Exporter::write_blobs() {
  std::set<Digest> written;
  for (const bool must : {true, false}) {
    for (const auto& [repository, digest] : must ? needed_ : optional_) {
      if (written.contains(digest)) continue;
      if (!must && manifests_.contains(digest)) continue;
      auto there = co_await write_blob(repository, digest);
      if (!there) co_return there.error();
      if (*there) written.insert(digest);
      if (!*there && must)
        co_return Error(ErrorKind::kUpstream, "the blob {} of {} is not there, and a manifest needs it",
                        digest.to_string(), repository.text());
    }
  }
  counts_.blobs = written.size();
  co_return Result<void>();
}

Task<Result<bool>> Exporter::write_blob(const RepositoryName& repository, const Digest& digest) {
  const std::string target = fmt::format("/v2/{}/blobs/{}", repository.text(), digest.to_string());
  Result<bool> there = false;
  for (int tries = 1; tries <= kTries; ++tries) {
    tar_.begin(bundle::blob_file(digest));
    there = co_await write_blob_once(target, digest);
    if (there && *there) break;
    auto dropped = co_await disk_.run([this] { return tar_.drop(); });
    if (!dropped) co_return dropped.error();
    const bool worth_it =
        !there && (there.error().kind() == ErrorKind::kUpstream || there.error().kind() == ErrorKind::kTimeout);
    if (!worth_it) break;
    if (tries < kTries) co_await sleep_for(kBetween);
  }
  co_return there;
}

Task<Result<bool>> Exporter::write_blob_once(const std::string& target, const Digest& digest) {
  auto answer = co_await get(target);
  if (!answer) co_return answer.error();
  const int status = (*answer)->head().status();
  if (status == 404) co_return false;
  if (status != 200) co_return co_await refusal(**answer, target);
  Hasher hasher(digest.algorithm());
  while (true) {
    auto piece = co_await (*answer)->next();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    hasher.update(piece->bytes());
    auto written = co_await append(as_text(piece->bytes()));
    if (!written) co_return written.error();
  }
  if (hasher.finish() != digest)
    co_return Error(ErrorKind::kCorrupt, "{}: the master sent other bytes than those of that digest", target);
  auto ended = co_await disk_.run([this] { return tar_.end(); });
  if (!ended) co_return ended.error();
  co_return true;
}

/// For tools that read OCI layouts: a tag's name there is REPOSITORY:TAG.
Task<Result<void>> Exporter::write_index(const bundle::Names& names) {
  Hasher hasher;
  tar_.begin(std::string(bundle::kIndexFile));
  std::string out = fmt::format(R"({{"schemaVersion":2,"mediaType":"{}","manifests":[)", media_type::kOciIndex);
  bool first = true;
  for (const auto& [repository, said] : names.repositories()) {
    for (const auto& [tag, digest] : said.tags) {
      const auto place = digest ? manifests_.find(*digest) : manifests_.end();
      if (place == manifests_.end()) continue;
      Descriptor descriptor{place->second.media_type, *digest, place->second.size};
      descriptor.annotations.emplace_back(kTagAnnotation, repository.text() + ":" + tag);
      if (!std::exchange(first, false)) out += ",";
      out += descriptor.to_json();
    }
    hasher.update(out);
    auto written = co_await append(out);
    if (!written) co_return written;
    out.clear();
  }
  out += "]}\n";
  hasher.update(out);
  auto written = co_await append(out);
  if (!written) co_return written;
  facts_.index = hasher.finish();
  co_return co_await disk_.run([this] { return tar_.end(); });
}

Task<Result<void>> Exporter::add(std::string_view name, std::string content) {
  co_return co_await disk_.run([&, this] { return tar_.add(std::string(name), content); });
}

Task<Result<void>> Exporter::append(std::string_view bytes) {
  co_return co_await disk_.run([&, this] { return tar_.append(as_bytes(bytes)); });
}

}  // namespace wherry::master
