#include "common/auth/policy.h"

#include <algorithm>

#include "common/auth/jwt.h"
#include "common/base/glob.h"

namespace wherry::auth {
namespace {

using nlohmann::json;

constexpr int kDocumentLevels = 8;
constexpr const char* kNoPolicy = "that is no document of who may do what";
constexpr std::chrono::hours kMostGrace{24 * 366};

/// A member of a type; nothing when it is not there or is of another.
template <class T>
const T* member(const json& document, const char* name) {
  const auto found = document.find(name);
  return found == document.end() ? nullptr : found->get_ptr<const T*>();
}

std::string text_in(const json& document, const char* name) {
  const auto* text = member<json::string_t>(document, name);
  return text == nullptr ? std::string() : *text;
}

bool is_true(const json& document, const char* name) {
  const auto* flag = member<json::boolean_t>(document, name);
  return flag != nullptr && *flag;
}

Result<Grant> read_grant(const json& document) {
  const auto* names = document.is_object() ? member<json::array_t>(document, "permissions") : nullptr;
  Grant grant;
  if (names != nullptr) {
    grant.subject = text_in(document, "subject");
    grant.repository = text_in(document, "repository");
    // A pattern that is no text must not come to mean all.
    if (document.contains("repository") && !document["repository"].is_string())
      return Error(ErrorKind::kInvalid, kNoPolicy);
    for (const json& each : *names)
      if (const auto* name = each.get_ptr<const json::string_t*>())
        if (const auto permission = permission_named(*name)) grant.permissions |= Permissions{*permission};
  }
  if (grant.subject.empty()) return Error(ErrorKind::kInvalid, kNoPolicy);
  // A later version may bind it to more: what cannot be understood grants nothing.
  for (const auto& [name, value] : document.items())
    if (name != "subject" && name != "repository" && name != "permissions") grant.permissions = Permissions();
  return grant;
}

/// Behind all names that begin with a text: their letters are below it.
constexpr char kBehindNames = '\x7f';

void add_name(std::vector<NameRange>& ranges, std::string_view name) {
  ranges.push_back({std::string(name), std::string(name) + '\0'});
}

void add_prefix(std::vector<NameRange>& ranges, std::string_view prefix) {
  ranges.push_back({std::string(prefix), std::string(prefix) + kBehindNames});
}

void add_project(std::vector<NameRange>& ranges, std::string_view name) {
  add_name(ranges, name);
  add_prefix(ranges, std::string(name) + '/');
}

/// Where names can be that fit a pattern.
void add_pattern(std::vector<NameRange>& ranges, std::string_view pattern) {
  const auto star = pattern.find_first_of("*?");
  if (star == std::string_view::npos) return add_name(ranges, pattern);
  add_prefix(ranges, pattern.substr(0, star));
}

std::vector<NameRange> in_order(std::vector<NameRange> ranges) {
  std::ranges::sort(ranges, {}, &NameRange::first);
  std::vector<NameRange> joined;
  for (NameRange& range : ranges) {
    if (joined.empty() || range.first > joined.back().end)
      joined.push_back(std::move(range));
    else if (range.end > joined.back().end)
      joined.back().end = std::move(range.end);
  }
  return joined;
}

}  // namespace

ProjectPolicy::ProjectPolicy(std::string id, bool is_public, const std::vector<Grant>& grants)
    : id_(std::move(id)), is_public_(is_public) {
  for (const Grant& grant : grants) grants_[grant.subject].push_back(grant);
}

Result<ProjectPolicy> ProjectPolicy::from_json(std::string_view text) {
  const json document = strict_object(text, kDocumentLevels);
  const auto* grants = document.is_object() ? member<json::array_t>(document, "grants") : nullptr;
  std::string id = document.is_object() ? text_in(document, "id") : std::string();
  if (grants == nullptr || id.empty()) return Error(ErrorKind::kInvalid, kNoPolicy);
  std::vector<Grant> read;
  for (const json& each : *grants) {
    auto grant = read_grant(each);
    if (!grant) return grant.error();
    read.push_back(std::move(*grant));
  }
  return ProjectPolicy(std::move(id), is_true(document, "public"), read);
}

std::string ProjectPolicy::to_json() const {
  json grants = json::array();
  for (const auto& [subject, of_subject] : grants_)
    for (const Grant& grant : of_subject) {
      json document = {{"subject", subject}, {"permissions", grant.permissions.names()}};
      if (!grant.repository.empty()) document["repository"] = grant.repository;
      grants.push_back(std::move(document));
    }
  return json{{"id", id_}, {"public", is_public_}, {"grants", std::move(grants)}}.dump();
}

template <class Counts>
Permissions ProjectPolicy::sum(const Identity& who, Counts counts) const {
  Permissions all;
  const auto add = [&](std::string_view subject) {
    const auto found = grants_.find(subject);
    if (found == grants_.end()) return;
    for (const Grant& grant : found->second)
      if (counts(grant)) all |= grant.permissions;
  };
  if (!who.id.empty()) add(who.id);
  for (const std::string& group : who.groups) add(group);
  return all;
}

Permissions ProjectPolicy::allowed(const Identity& who, std::string_view repository) const {
  return sum(who, [&](const Grant& grant) {
    return grant.repository.empty() || path_glob_matches(grant.repository, repository);
  });
}

Permissions ProjectPolicy::allowed(const Identity& who) const {
  return sum(who, [](const Grant& grant) { return grant.repository.empty(); });
}

void ProjectPolicy::add_listed(const Identity& who, std::string_view name, std::vector<NameRange>& ranges) const {
  if (is_public_ || allowed(who).has(Permission::kList)) return add_project(ranges, name);
  sum(who, [&](const Grant& grant) {
    if (grant.permissions.has(Permission::kList)) add_pattern(ranges, grant.repository);
    return false;
  });
}

Result<AccessSettings> AccessSettings::from_json(std::string_view text) {
  const json document = strict_object(text, kDocumentLevels);
  const auto* keys = document.is_object() ? member<json::array_t>(document, "keys") : nullptr;
  if (keys == nullptr) return Error(ErrorKind::kInvalid, kNoPolicy);
  AccessSettings settings;
  if (auto service = text_in(document, "service"); !service.empty()) settings.service = std::move(service);
  if (const auto* seconds = member<json::number_unsigned_t>(document, "offline_grace_seconds"))
    settings.offline_grace = std::chrono::seconds(
        std::min<std::uint64_t>(*seconds, static_cast<std::uint64_t>(std::chrono::seconds(kMostGrace).count())));
  settings.cache_passwords = is_true(document, "cache_passwords");
  for (const json& each : *keys) {
    auto key = PublicJwtKey::from_jwk(each.dump());
    if (!key) return key.error();
    if (key->algorithm() != "ES256") return Error(ErrorKind::kInvalid, kNoPolicy);
    settings.keys.push_back(std::move(*key));
  }
  return settings;
}

std::string AccessSettings::to_json() const {
  json all = json::array();
  for (const PublicJwtKey& key : keys) all.push_back(json::parse(key.to_jwk()));
  return json{{"service", service},
              {"offline_grace_seconds", offline_grace.count()},
              {"cache_passwords", cache_passwords},
              {"keys", std::move(all)}}
      .dump();
}

const ProjectPolicy* Policy::project(std::string_view name) const {
  const auto found = projects_.find(name);
  return found == projects_.end() ? nullptr : found->second.get();
}

Permissions Policy::allowed_everywhere(const Identity& who) const {
  if (who.kind == Identity::Kind::kEveryone) return Permissions::all();
  return system_ ? system_->allowed(who) : Permissions();
}

Permissions Policy::allowed(const Identity& who, std::string_view repository) const {
  return allowed(who, repository, project(project_of(repository)));
}

Permissions Policy::allowed(const Identity& who, std::string_view repository, const ProjectPolicy* of) const {
  Permissions all = allowed_everywhere(who);
  if (who.kind == Identity::Kind::kNode) {
    if (who.projects.empty() || any_glob_matches(who.projects, project_of(repository)))
      all |= Permissions{Permission::kList, Permission::kPull};
    return all;
  }
  if (of == nullptr) return all;
  all |= of->allowed(who, repository);
  if (of->is_public()) all |= Permissions{Permission::kList, Permission::kPull};
  return all;
}

Permissions Policy::allowed_in_project(const Identity& who, std::string_view name) const {
  const ProjectPolicy* of = project(name);
  return allowed_everywhere(who) | (of == nullptr ? Permissions() : of->allowed(who));
}

std::vector<NameRange> Policy::listed(const Identity& who) const {
  const bool is_node = who.kind == Identity::Kind::kNode;
  if (allowed_everywhere(who).has(Permission::kList) || (is_node && who.projects.empty())) return {NameRange()};
  std::vector<NameRange> ranges;
  if (is_node) {
    for (const std::string& pattern : who.projects) {
      add_pattern(ranges, pattern);
      if (pattern.find_first_of("*?") == std::string::npos) add_prefix(ranges, pattern + '/');
    }
  } else {
    for (const auto& [name, project] : projects_) project->add_listed(who, name, ranges);
  }
  return in_order(std::move(ranges));
}

bool Policy::is_revoked(std::string_view id, WallTime as_of) const {
  const auto found = revoked_.find(id);
  return found != revoked_.end() && as_of <= found->second;
}

std::vector<std::string> Policy::revoked_before(WallTime time, std::size_t most) const {
  std::vector<std::string> ids;
  for (const auto& [id, before] : revoked_) {
    if (ids.size() == most) break;
    if (before < time) ids.push_back(id);
  }
  return ids;
}

Result<void> Policy::set_project(std::string name, std::string_view text) {
  auto read = ProjectPolicy::from_json(text);
  if (!read) return read.error();
  projects_.insert_or_assign(std::move(name), std::make_shared<const ProjectPolicy>(std::move(*read)));
  return {};
}

void Policy::remove_project(std::string_view name) {
  if (const auto found = projects_.find(name); found != projects_.end()) projects_.erase(found);
}

Result<bool> Policy::set(std::string_view name, std::string_view text) {
  if (name == kAccessPolicy) {
    auto read = AccessSettings::from_json(text);
    if (!read) return read.error();
    settings_ = std::make_shared<const AccessSettings>(std::move(*read));
    return true;
  }
  if (name == kSystemPolicy) {
    auto read = ProjectPolicy::from_json(text);
    if (!read) return read.error();
    system_ = std::make_shared<const ProjectPolicy>(std::move(*read));
    return true;
  }
  if (!name.starts_with(kRevokedPolicy)) return false;
  const json document = strict_object(text, 1);
  const auto* before = document.is_object() ? member<json::number_unsigned_t>(document, "before_ms") : nullptr;
  // One that cannot be read revokes for ever.
  const std::uint64_t millis = before == nullptr ? INT64_MAX : std::min<std::uint64_t>(*before, INT64_MAX);
  revoked_.insert_or_assign(std::string(name.substr(kRevokedPolicy.size())),
                            from_millis(static_cast<std::int64_t>(millis)));
  return true;
}

bool Policy::remove(std::string_view name) {
  if (name == kAccessPolicy) {
    settings_ = nullptr;
  } else if (name == kSystemPolicy) {
    system_ = nullptr;
  } else if (name.starts_with(kRevokedPolicy)) {
    if (const auto found = revoked_.find(name.substr(kRevokedPolicy.size())); found != revoked_.end())
      revoked_.erase(found);
  } else {
    return false;
  }
  return true;
}

}  // namespace wherry::auth
