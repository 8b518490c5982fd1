// Policy: who may do what, as the master has said and every tier knows it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/auth/identity.h"
#include "common/auth/jwt_keys.h"
#include "common/auth/permissions.h"
#include "common/base/error.h"

namespace wherry::auth {

/// Looks strings up without making one.
struct StringHash : std::hash<std::string_view> {
  using is_transparent = void;
};
template <class T>
using ByText = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

/// What one subject may do in a project, or in the repositories of it that fit a pattern.
struct Grant {
  std::string subject;  ///< id of a user, group or robot
  std::string
      repository;  ///< pattern of whole names, '*' stands for no '/', "**" for anything; empty: all of the project
  Permissions permissions;
};

/// Names from `first` on and before `end`, in the order of their bytes; an empty `end`: all from there on.
struct NameRange {
  std::string first;
  std::string end;
};

/// A project as tiers know it. Immutable.
class ProjectPolicy {
 public:
  /// From the document of the feed. Errors: kInvalid. A permission that is not known here counts as none.
  static Result<ProjectPolicy> from_json(std::string_view json);
  ProjectPolicy(std::string id, bool is_public, const std::vector<Grant>& grants);
  std::string to_json() const;

  const std::string& id() const { return id_; }
  bool is_public() const { return is_public_; }
  /// O(subjects of the identity), whatever else is granted.
  Permissions allowed(const Identity& who, std::string_view repository) const;
  /// On the project itself: of the grants that are not for some repositories alone.
  Permissions allowed(const Identity& who) const;
  /// Adds where the repositories are that `who` may list, if they are there: of this project, which has that name.
  void add_listed(const Identity& who, std::string_view name, std::vector<NameRange>& ranges) const;

 private:
  ProjectPolicy() = default;
  template <class Counts>
  Permissions sum(const Identity& who, Counts counts) const;

  std::string id_;
  bool is_public_ = false;
  ByText<std::vector<Grant>> grants_;  // by subject
};

/// The settings that hold for all tiers.
struct AccessSettings {
  std::string service = "wherry";  ///< the audience of tokens
  std::chrono::seconds offline_grace{8 * 60 *
                                     60};  ///< how long known identities go on where the master is out of reach
  bool cache_passwords = false;            ///< a node may keep salted hashes of the passwords it saw
  std::vector<PublicJwtKey> keys;          ///< that sign tokens: the present one, the next one, those that were

  static Result<AccessSettings> from_json(std::string_view json);
  std::string to_json() const;
};

/// Names of policies in the feed.
inline constexpr std::string_view kAccessPolicy = "access";         ///< AccessSettings
inline constexpr std::string_view kSystemPolicy = "access.system";  ///< grants on everything, as a ProjectPolicy
/// Nothing that anybody was shown or kept counts for longer: then a revocation need not be known any more.
inline constexpr std::chrono::days kNothingCountsLonger{31};
inline constexpr std::string_view kRevokedPolicy = "access.revoked.";  ///< then an id: {"before_ms": ...}

/// All of it at one moment. Copies share their parts; what is published is never changed.
class Policy {
 public:
  /// Without settings nothing is known yet: nobody is let in.
  bool is_known() const { return settings_ != nullptr; }
  const AccessSettings& settings() const { return *settings_; }
  const std::shared_ptr<const AccessSettings>& shared_settings() const { return settings_; }

  const ProjectPolicy* project(std::string_view name) const;
  /// What somebody may do with a repository that is (or would be) there. Public projects can be pulled by anybody.
  Permissions allowed(const Identity& who, std::string_view repository) const;
  /// The same with project(project_of(repository)), which may be null.
  Permissions allowed(const Identity& who, std::string_view repository, const ProjectPolicy* of) const;
  Permissions allowed_in_project(const Identity& who, std::string_view project) const;
  /// Where in the order of names repositories can be that `who` may list: he may list none outside, and not each one
  /// within. In order, none touches another. O(projects), 0.1 us each.
  std::vector<NameRange> listed(const Identity& who) const;
  /// In every project and beside them.
  Permissions allowed_everywhere(const Identity& who) const;
  /// True when that identity, or a group or token of that id, was revoked after it was found out.
  bool is_revoked(std::string_view id, WallTime as_of) const;
  /// Ids that were revoked before that time and not since, at most `most`. O(revocations).
  std::vector<std::string> revoked_before(WallTime time, std::size_t most) const;

  // For who reads the feed. Errors: kInvalid; then nothing is changed.
  Result<void> set_project(std::string name, std::string_view json);
  void remove_project(std::string_view name);
  /// False for names that are none of these.
  Result<bool> set(std::string_view name, std::string_view json);
  bool remove(std::string_view name);

 private:
  std::shared_ptr<const AccessSettings> settings_;
  std::shared_ptr<const ProjectPolicy> system_;
  ByText<std::shared_ptr<const ProjectPolicy>> projects_;
  ByText<WallTime> revoked_;
};

/// The first part of a repository's name.
inline std::string_view project_of(std::string_view repository) { return repository.substr(0, repository.find('/')); }

}  // namespace wherry::auth
