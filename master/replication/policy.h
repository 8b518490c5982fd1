// Policy: what is to be the same in two registries, and when it is made so.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/oci/platforms.h"
#include "common/oci/reference.h"
#include "master/api/call.h"
#include "master/replication/cron.h"
#include "master/replication/time_window.h"

namespace wherry::replication {

/// The other registry.
struct RemoteOptions {
  std::string url;                     ///< https://registry.example, without /v2
  std::string credentials_file;        ///< on the master's disk; see read_credentials()
  std::string ca_file;                 ///< PEM, on the master's disk; empty: the system's
  std::vector<std::string> realms;     ///< hosts of token servers beside its own
  std::vector<std::string> redirects;  ///< hosts with private addresses that its blobs may come from
  friend bool operator==(const RemoteOptions&, const RemoteOptions&) = default;
};

/// Which images of the source are wanted: those that fit all that is said. An index is wanted, and copied whole, when
/// one of its images is.
struct Filters {
  std::vector<std::string> repositories = {"**"};  ///< patterns, as path_glob_matches() reads them
  std::vector<std::string> tags = {"**"};
  std::map<std::string, std::string> labels;  ///< of the image's config; each must be there with that value
  std::vector<std::string> media_types;       ///< of the manifest, or its artifact type; none: all
  std::vector<std::string> platforms;         ///< none: all
  std::uint64_t latest = 0;                   ///< the newest of each repository, by when they were made; 0: all
  /// Whether an image's manifest has to be read to know if it is wanted.
  bool read_images() const { return !labels.empty() || !media_types.empty() || !platforms.empty() || latest > 0; }
  friend bool operator==(const Filters&, const Filters&) = default;
};

/// What a repository of the source is called at the target: `strip` is taken off the front, then `prefix` put there.
struct Destination {
  std::string strip;
  std::string prefix;
  friend bool operator==(const Destination&, const Destination&) = default;

  /// Errors: kNameInvalid when the result is no name; kInvalid when `strip` is not in front.
  Result<RepositoryName> of(const RepositoryName& source) const;
  /// What is called so at the target; nothing when nothing can be.
  std::optional<RepositoryName> source_of(const RepositoryName& target) const;
};

enum class Direction { kPush, kPull };
enum class TriggerKind { kManual, kPush, kSchedule };

class Policy {
 public:
  static constexpr std::size_t kMaxNameBytes = 64;
  static constexpr std::size_t kMaxPatterns = 64;
  static constexpr std::size_t kMaxTextBytes = 1024;
  static constexpr std::size_t kMaxWindows = 32;
  static constexpr std::uint64_t kMaxConcurrent = 64;
  static constexpr int kMaxPriority = 1000;

  /// Reads a document of the API. Errors: kInvalid, the message beginning with the member that is wrong, which is also
  /// the `field` of its detail. Members that nobody knows are refused.
  static Result<Policy> parse(const api::Json& document);
  api::Json to_json() const;
  /// JSON Schema of such documents.
  static api::Json schema();
  /// Whether a repository of the source is one that the filters mean and that has a name at the target.
  bool wants_repository(const std::string& repository) const;

  std::string name;  ///< [a-z0-9] with - _ . within
  bool enabled = true;
  Direction direction = Direction::kPush;
  RemoteOptions remote;
  Filters filters;
  Destination destination;
  TriggerKind trigger = TriggerKind::kManual;
  std::optional<CronSchedule> schedule;  ///< of kSchedule
  bool deletions = false;                ///< what the source does not have (any more) goes at the target
  bool verify = true;                    ///< when all is done both sides are compared once more
  bool overwrite = true;                 ///< a tag that means something else at the target is moved
  std::uint64_t bytes_per_second = 0;    ///< 0: any
  std::uint64_t concurrent = 4;          ///< images at a time
  std::vector<TimeWindow> windows;       ///< none: always
  int priority = 0;                      ///< higher goes first
};

bool is_policy_name(std::string_view text);

/// A policy is named after these in documents: "push", "pull".
std::string_view name_of(Direction direction);
std::string_view name_of(TriggerKind trigger);

}  // namespace wherry::replication
