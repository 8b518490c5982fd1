#include "node/upstream/upstreams.h"

#include <algorithm>
#include <set>

#include "common/base/glob.h"
#include "common/http/place.h"
#include "common/oci/excerpt.h"

namespace wherry::node {
namespace {

/// All that clients may call it.
std::vector<std::string> names_of(const UpstreamOptions& options) {
  std::vector<std::string> names = options.aliases;
  names.push_back(options.name);
  if (prefix_of(options.name) != options.name) names.push_back(prefix_of(options.name));
  return names;
}

}  // namespace

bool Upstreams::Entry::is_named(std::string_view name) const {
  const UpstreamOptions& options = origin.options();
  return (!options.name.empty() && (name == options.name || name == prefix)) ||
         std::find(options.aliases.begin(), options.aliases.end(), name) != options.aliases.end();
}

Result<void> Upstreams::add(UpstreamOptions options, const std::vector<Loop*>& loops) {
  Credentials credentials;
  if (!options.credentials_file.empty()) {
    std::string host = options.name;
    if (const auto place = http::Place::of(options.url); host.empty() && place) host = place->name();
    auto read = read_credentials(options.credentials_file, host);
    if (!read) return read.error();
    credentials = std::move(*read);
  }
  entries_.emplace_back(std::move(options), std::move(credentials), loops);
  return {};
}

void Upstreams::sign_for_parent(Origin::Signer signer) {
  if (parent_ != nullptr) parent_->origin.sign_by(std::move(signer));
}

Result<std::unique_ptr<Upstreams>> Upstreams::make(Registries registries, const std::vector<Loop*>& loops) {
  std::unique_ptr<Upstreams> all(new Upstreams);
  std::set<std::string> names;
  for (UpstreamOptions& options : registries.upstreams) {
    for (const auto& name : names_of(options))
      if (!names.insert(name).second) return Error(ErrorKind::kInvalid, "upstreams: {} is named twice", name);
    if (auto added = all->add(std::move(options), loops); !added) return added.error();
  }
  for (Entry& entry : all->entries_)
    if (entry.origin.options().name == registries.root) all->root_ = &entry;
  if (!registries.root.empty() && all->root_ == nullptr)
    return Error(ErrorKind::kInvalid, "root: there is no upstream of the name {}", registries.root);
  UpstreamOptions& parent = registries.parent;
  if (!parent.url.empty()) {
    if (const auto place = http::Place::of(parent.url)) parent.aliases.push_back(place->name());
    if (auto added = all->add(std::move(parent), loops); !added) return added.error();
    all->parent_ = &all->entries_.back();
    all->follows_ = registries.follow.enabled;
    if (all->root_ == nullptr) all->root_ = all->parent_;
  }
  return all;
}

/// Whose names begin with that first part; null when nobody's do.
Upstreams::Entry* Upstreams::kept_below(std::string_view name) const {
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return nullptr;
  for (Entry& entry : entries_)
    if (&entry != parent_ && name.substr(0, slash) == entry.prefix) return &entry;
  return nullptr;
}

Result<RepositoryName> Upstreams::within(const Entry& entry, std::string name) const {
  const UpstreamOptions& options = entry.origin.options();
  if (options.library && name.find('/') == std::string::npos) name = "library/" + name;
  if ((!options.allow.empty() && !any_glob_matches(options.allow, name)) || any_glob_matches(options.deny, name))
    return Error(ErrorKind::kDenied, "this node does not give out {} of {}: its configuration keeps it out", name,
                 options.name);
  if (&entry != parent_) return RepositoryName::parse(entry.prefix + "/" + name);
  // It would be kept, and asked for, as the other one's, whose own `allow` and `deny` were not looked at.
  if (const Entry* const other = kept_below(name); other != nullptr)
    return Error(ErrorKind::kNameUnknown, "{}: names that begin so are those of the registry {} at this node", name,
                 other->origin.options().name);
  return RepositoryName::parse(name);
}

Result<RepositoryName> Upstreams::place(const std::optional<std::string>& registry, const RepositoryName& asked) const {
  const std::string& name = asked.text();
  if (registry) {
    for (const Entry& entry : entries_)
      if (entry.is_named(*registry)) return within(entry, name);
    return Error(ErrorKind::kNameUnknown, "this node does not stand for the registry {}", excerpt(*registry));
  }
  const auto slash = name.find('/');
  if (slash != std::string::npos)
    for (const Entry& entry : entries_)
      if (&entry != parent_ && entry.is_named(std::string_view(name).substr(0, slash)))
        return within(entry, name.substr(slash + 1));
  if (root_ == nullptr)
    return Error(ErrorKind::kNameUnknown, "{}: names without a registry before them mean nothing at this node", name);
  return within(*root_, name);
}

Result<Remote> Upstreams::remote(const RepositoryName& kept) const {
  const std::string& name = kept.text();
  if (Entry* const entry = kept_below(name); entry != nullptr) {
    auto repository = RepositoryName::parse(std::string_view(name).substr(entry->prefix.size() + 1));
    if (!repository) return repository.error();
    return Remote(entry->origin, std::move(*repository));
  }
  if (parent_ == nullptr) return Error(ErrorKind::kNameUnknown, "{}: no registry is configured for it", name);
  return Remote(parent_->origin, kept);
}

std::vector<const Origin*> Upstreams::all() const {
  std::vector<const Origin*> origins;
  for (const Entry& entry : entries_) origins.push_back(&entry.origin);
  return origins;
}

Task<void> Upstreams::open() {
  for (Entry& entry : entries_) co_await entry.origin.open();
}

Task<void> Upstreams::cancel() {
  for (Entry& entry : entries_) co_await entry.origin.cancel();
}

Task<void> Upstreams::close() {
  for (Entry& entry : entries_) co_await entry.origin.close();
}

}  // namespace wherry::node
