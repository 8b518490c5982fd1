#include "common/registry/visible_names.h"

#include <algorithm>
#include <vector>

namespace wherry::registry {
namespace {

/// Names that are asked for at once after a seek; twice as many each time, as long as they go on to be wanted.
constexpr std::size_t kFewestAtOnce = 64;

/// A text before `name`, with no other name between: where to begin so that `name` is the first that comes.
std::string just_before(std::string name) {
  if (name.empty()) return name;
  --name.back();
  name.push_back('\x7f');
  return name;
}

/// Takes from the pages of a catalog what somebody may see.
class Sieve {
 public:
  Sieve(const auth::Visitor& visitor, std::vector<auth::NameRange> ranges, std::string last, std::size_t limit)
      : visitor_(visitor), limit_(limit), ranges_(std::move(ranges)), at_(ranges_.begin()), after_(std::move(last)) {
    pass(after_);
    seek();
  }

  /// Nothing more can come, or nothing more is wanted.
  bool is_done() const {
    return at_ == ranges_.end() || found_.size() > limit_ || (looked_ >= kMostNamesLooked && !found_.empty());
  }
  const std::string& after() const { return after_; }
  std::size_t at_once() const { return at_once_; }

  void take(const NamePage& page) {
    bool all_wanted = true;
    for (const std::string& name : page.names()) {
      after_ = name;
      ++looked_;
      pass(name);
      if (is_done()) return;
      const bool is_within = name >= at_->first;
      if (is_within && visitor_.policy().allowed(visitor_.who(), name).has(auth::Permission::kList))
        found_.push_back(name);
      all_wanted = all_wanted && is_within;
    }
    at_once_ = all_wanted ? std::min(at_once_ * 2, kMaxPage) : kFewestAtOnce;
    if (!page.more()) at_ = ranges_.end();
    seek();
  }

  NamePage page() {
    const bool more = found_.size() > limit_ || at_ != ranges_.end();
    if (found_.size() > limit_) found_.resize(limit_);
    return NamePage(std::move(found_), more);
  }

 private:
  /// Leaves the ranges that end before `name`.
  void pass(const std::string& name) {
    while (at_ != ranges_.end() && at_->end <= name) ++at_;
  }
  void seek() {
    if (at_ != ranges_.end()) after_ = std::max(after_, just_before(at_->first));
  }

  const auth::Visitor& visitor_;
  const std::size_t limit_;
  const std::vector<auth::NameRange> ranges_;
  std::vector<auth::NameRange>::const_iterator at_;
  std::string after_;
  std::size_t at_once_ = kFewestAtOnce;
  std::size_t looked_ = 0;
  std::vector<std::string> found_;
};

}  // namespace

Task<Result<NamePage>> visible_repositories(Catalog& catalog, const auth::Visitor& visitor, std::string last,
                                            std::size_t limit) {
  if (visitor.is_everyone() || limit == 0) co_return co_await catalog.repositories(std::move(last), limit);
  auto ranges = visitor.policy().listed(visitor.who());
  const bool sees_all = ranges.size() == 1 && ranges.front().first.empty() && ranges.front().end.empty();
  if (sees_all) co_return co_await catalog.repositories(std::move(last), limit);
  Sieve sieve(visitor, std::move(ranges), std::move(last), limit);
  std::optional<NamePage> read;
  while (!sieve.is_done()) {
    std::string after = sieve.after();
    auto page = co_await catalog.repositories(std::move(after), sieve.at_once());
    if (!page) co_return page;
    sieve.take(*page);
    read = std::move(*page);
  }
  NamePage found = sieve.page();
  if (read) {
    found.warn(read->warning());
    if (read->age()) found.set_age(*read->age());
    if (read->position()) found.set_position(*read->position());
  }
  co_return found;
}

}  // namespace wherry::registry
