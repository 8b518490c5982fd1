// NameStore::referrers: a page of what refers to a manifest.
#include <set>

#include "common/oci/referrers_index.h"
#include "common/registry/name_store.h"
#include "common/registry/tables.h"

namespace wherry::registry {
namespace {

/// Descriptors in one page: with the index around them no more than any manifest may have (distribution-spec, "Listing
/// Referrers": an answer is a manifest and no larger). A single larger one has a page of its own.
constexpr std::size_t kMaxPageBytes = std::size_t{4 * 1024 - 1} * 1024;

/// A page's `last` while it is among what only a fallback tag names.
constexpr std::string_view kFallbackMark = "fallback/";

/// A page that fills up. Its entries are named by what goes on after them.
class GrowingPage {
 public:
  GrowingPage(std::string artifact_type, std::size_t limit) : artifact_type_(std::move(artifact_type)), limit_(limit) {}

  /// Takes one in when it is of the kind that is asked for; false when it must wait for the next page.
  bool take(std::string_view artifact_type, std::string descriptor, std::string name) {
    if (!artifact_type_.empty() && artifact_type != artifact_type_) return true;
    if (descriptors_.size() == limit_) return false;
    if (!descriptors_.empty() && bytes_ + descriptor.size() + 1 > kMaxPageBytes) return false;
    bytes_ += descriptor.size() + 1;
    descriptors_.push_back(std::move(descriptor));
    last_ = std::move(name);
    return true;
  }
  ReferrerPage finish(bool more) && { return {std::move(descriptors_), more ? std::move(last_) : std::string()}; }

 private:
  const std::string artifact_type_;
  const std::size_t limit_;
  std::size_t bytes_ = 0;
  std::vector<std::string> descriptors_;
  std::string last_;
};

}  // namespace

Task<Result<ReferrerPage>> NameStore::referrers(const RepositoryName& repository, const Digest& digest,
                                                std::string artifact_type, std::string last, std::size_t limit) {
  if (limit == 0) co_return ReferrerPage({}, {});
  GrowingPage page(std::move(artifact_type), limit);
  const std::string prefix = tables::referrers_prefix(repository, digest);
  std::string_view after_fallback;
  if (last.starts_with(kFallbackMark)) {
    after_fallback = std::string_view(last).substr(kFallbackMark.size());
  } else {
    std::string after;
    if (!last.empty()) {
      auto shown = Digest::parse(last);
      if (!shown) co_return Error(ErrorKind::kInvalid, "last={} is not from the Link of an earlier page", last);
      after = tables::referrer_key(repository, digest, *shown);
    }
    for (bool more = true; more;) {
      auto rows = co_await store_.scan(kv::ScanRequest(prefix, after));
      if (!rows) co_return rows.error();
      for (auto& [key, value] : rows->entries) {
        std::string_view rest = std::string_view(key).substr(prefix.size());
        auto referrer = tables::take_digest(rest);
        auto row = tables::decode_referrer(value);
        if (!referrer || !row) co_return Error(ErrorKind::kCorrupt, "a stored referrer is not in its form");
        if (!page.take(row->artifact_type, std::string(row->descriptor), referrer->to_string()))
          co_return std::move(page).finish(true);
        after = std::move(key);
      }
      more = rows->more;
    }
  }
  // Then what only a fallback tag names, of clients that know no referrers API.
  auto tag = Tag::parse(fallback_tag(digest));
  if (!tag) co_return std::move(page).finish(false);
  auto fallback = co_await manifest(repository, Reference(*tag));
  if (!fallback) co_return std::move(page).finish(false);
  auto listed = parse_fallback_index(fallback->bytes());
  if (!listed) co_return std::move(page).finish(false);
  std::set<std::string> shown;
  for (const Descriptor& descriptor : *listed) {
    const std::string name = descriptor.digest.to_string();
    if (!shown.insert(name).second) continue;
    if (!after_fallback.empty()) {  // on an earlier page
      if (name == after_fallback) after_fallback = {};
      continue;
    }
    auto row = co_await store_.get(tables::referrer_key(repository, digest, descriptor.digest));
    if (!row) co_return row.error();
    if (*row) continue;  // listed already
    auto stored = co_await by_digest(repository, descriptor.digest);
    if (!stored) continue;  // somebody deleted it and left the tag: nobody could fetch it
    auto referrer = Manifest::parse(stored->bytes(), stored->media_type());
    if (!referrer) continue;
    auto described = referrer->referrer_descriptor(descriptor.digest, stored->bytes().size()).to_json();
    if (!page.take(referrer->artifact_type(), std::move(described), std::string(kFallbackMark) + name))
      co_return std::move(page).finish(true);
  }
  co_return std::move(page).finish(false);
}

}  // namespace wherry::registry
