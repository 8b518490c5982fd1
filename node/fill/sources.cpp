#include "node/fill/sources.h"

#include <algorithm>

namespace wherry::node {

void Sources::add(const RepositoryName& repository, std::uint64_t said) {
  const auto same = [&](const Source& source) { return source.repository == repository; };
  if (sources_.size() >= kMost || std::any_of(sources_.begin(), sources_.end(), same)) return;
  Source& source = sources_.emplace_back(repository);
  source.has_it = true;
  source.said = said;
}

Sources::Source* Sources::next() {
  const auto usable = [](const Source& source) { return !source.dropped && !source.attempts.used_up(); };
  if (Source& first = sources_.front(); !first.has_it) return usable(first) ? &first : nullptr;
  for (std::size_t tried = 0; tried < sources_.size(); ++tried) {
    Source& source = sources_[turn_ % sources_.size()];
    if (usable(source)) return &source;
    ++turn_;
  }
  return nullptr;
}

void Sources::broke(Source& source, Error error, std::uint64_t brought) {
  source.gave = source.gave || brought > 0;
  source.attempts.broke(brought);
  source.error = std::move(error);
  ++turn_;
}

void Sources::drop(Source& source, Error error) {
  source.dropped = true;
  source.error = std::move(error);
  ++turn_;
}

std::vector<RepositoryName> Sources::holders(std::uint64_t size) const {
  std::vector<RepositoryName> holders;
  for (const Source& source : sources_)
    if (!source.dropped && (source.said ? *source.said == size : source.gave)) holders.push_back(source.repository);
  return holders;
}

}  // namespace wherry::node
