#include "master/replication/policy.h"

#include <algorithm>

#include "common/base/glob.h"
#include "common/http/place.h"
#include "common/oci/excerpt.h"
#include "common/oci/media_types.h"
#include "master/api/document.h"

namespace wherry::replication {
namespace {

using api::Document;

constexpr std::int64_t kMaxBytesPerSecond = std::int64_t{1} << 40;
constexpr std::int64_t kMaxLatest = 100'000;

bool is_pattern(std::string_view text, bool tag) {
  const auto fits = [&](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (tag ? (c >= 'A' && c <= 'Z') : c == '/') ||
           std::string_view("._-*?").contains(static_cast<char>(c));
  };
  return !text.empty() && text.size() <= Policy::kMaxTextBytes && std::ranges::all_of(text, fits);
}

Result<void> check_patterns(const Document& in, const char* key, const std::vector<std::string>& patterns, bool tag) {
  if (patterns.empty() || patterns.size() > Policy::kMaxPatterns)
    return in.wrong(key, fmt::format("must be from 1 to {} patterns; ** fits all", Policy::kMaxPatterns));
  for (const std::string& pattern : patterns)
    if (!is_pattern(pattern, tag))
      return in.wrong(key, excerpt(pattern) + " is no pattern: names with *, ? and ** are, without braces");
  return {};
}

Result<void> read_remote(Document in, RemoteOptions& remote) {
  if (auto read = in.read("url", remote.url); !read) return read;
  if (!http::is_server_url(remote.url))
    return in.wrong("url",
                    excerpt(remote.url) + " is not the URL of a registry, such as https://registry.example:5000");
  if (auto read = in.read("credentials-file", remote.credentials_file); !read) return read;
  if (auto read = in.read("ca-file", remote.ca_file); !read) return read;
  if (auto read = in.read("realms", remote.realms); !read) return read;
  if (auto read = in.read("redirects", remote.redirects); !read) return read;
  return in.finish();
}

Result<void> read_filters(Document in, Filters& filters) {
  if (auto read = in.read("repositories", filters.repositories); !read) return read;
  if (auto good = check_patterns(in, "repositories", filters.repositories, false); !good) return good;
  if (auto read = in.read("tags", filters.tags); !read) return read;
  if (auto good = check_patterns(in, "tags", filters.tags, true); !good) return good;
  if (auto read = in.read("labels", filters.labels); !read) return read;
  if (auto read = in.read("media-types", filters.media_types); !read) return read;
  for (const std::string& type : filters.media_types)
    if (!media_type::is_valid(type)) return in.wrong("media-types", excerpt(type) + " is no media type");
  if (auto read = in.read("platforms", filters.platforms); !read) return read;
  if (auto choice = PlatformChoice::parse(filters.platforms); !choice)
    return in.wrong("platforms", choice.error().message());
  std::int64_t latest = 0;
  if (auto read = in.read("latest", 0, kMaxLatest, latest); !read) return read;
  filters.latest = static_cast<std::uint64_t>(latest);
  return in.finish();
}

Result<void> read_destination(Document in, Destination& destination) {
  for (auto& [key, value] :
       {std::pair<const char*, std::string*>{"strip", &destination.strip}, {"prefix", &destination.prefix}}) {
    if (auto read = in.read(key, *value); !read) return read;
    // "mirror/" is a part and its border; "mirror-" would be the begin of one.
    if (!value->empty() && !RepositoryName::parse(*value + "a"))
      return in.wrong(key, excerpt(*value) + " does not begin the name of a repository");
  }
  return in.finish();
}

Result<void> read_trigger(Document in, Policy& policy) {
  std::string on = "manual";
  std::string cron;
  if (auto read = in.read("on", on); !read) return read;
  if (auto read = in.read("cron", cron); !read) return read;
  if (on != "manual" && on != "push" && on != "schedule")
    return in.wrong("on", excerpt(on) + " is none of manual, push, schedule");
  policy.trigger = on == "push" ? TriggerKind::kPush : on == "schedule" ? TriggerKind::kSchedule : TriggerKind::kManual;
  if (policy.trigger == TriggerKind::kSchedule) {
    auto schedule = CronSchedule::parse(cron);
    if (!schedule) return in.wrong("cron", schedule.error().message());
    policy.schedule = std::move(*schedule);
  } else if (!cron.empty()) {
    return in.wrong("cron", "is for a trigger on schedule alone");
  }
  if (policy.trigger == TriggerKind::kPush && policy.direction == Direction::kPull)
    return in.wrong("on", "what is pushed to another registry is not known here: pull on a schedule");
  return in.finish();
}

Result<void> read_limits(Document in, Policy& policy) {
  std::int64_t bytes_per_second = 0;
  std::int64_t concurrent = static_cast<std::int64_t>(policy.concurrent);
  if (auto read = in.read("bytes-per-second", 0, kMaxBytesPerSecond, bytes_per_second); !read) return read;
  if (auto read = in.read("concurrent", 1, Policy::kMaxConcurrent, concurrent); !read) return read;
  policy.bytes_per_second = static_cast<std::uint64_t>(bytes_per_second);
  policy.concurrent = static_cast<std::uint64_t>(concurrent);
  return in.finish();
}

Result<void> read_windows(Document& in, Policy& policy) {
  auto windows = in.objects("windows");
  if (!windows) return windows.error();
  if (windows->size() > Policy::kMaxWindows) return in.wrong("windows", fmt::format("at most {}", Policy::kMaxWindows));
  for (Document& each : *windows) {
    std::vector<std::string> days;
    std::string from;
    std::string to;
    if (auto read = each.read("days", days); !read) return read;
    if (auto read = each.read("from", from); !read) return read;
    if (auto read = each.read("to", to); !read) return read;
    auto window = TimeWindow::parse(days, from, to);
    if (!window) return each.wrong("from", window.error().message());
    policy.windows.push_back(*window);
    if (auto finished = each.finish(); !finished) return finished;
  }
  return {};
}

}  // namespace

std::string_view name_of(Direction direction) { return direction == Direction::kPush ? "push" : "pull"; }

std::string_view name_of(TriggerKind trigger) {
  switch (trigger) {
    case TriggerKind::kManual: return "manual";
    case TriggerKind::kPush: return "push";
    case TriggerKind::kSchedule: return "schedule";
  }
  return "manual";
}

bool is_policy_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= Policy::kMaxNameBytes && plain(text.front()) && plain(text.back()) &&
         std::ranges::all_of(text, [&](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

Result<RepositoryName> Destination::of(const RepositoryName& source) const {
  if (!source.text().starts_with(strip))
    return Error(ErrorKind::kInvalid, "{} does not begin with {}", source.text(), strip);
  return RepositoryName::parse(prefix + source.text().substr(strip.size()));
}

std::optional<RepositoryName> Destination::source_of(const RepositoryName& target) const {
  if (!target.text().starts_with(prefix)) return std::nullopt;
  auto source = RepositoryName::parse(strip + target.text().substr(prefix.size()));
  if (!source) return std::nullopt;
  return std::move(*source);
}

bool Policy::wants_repository(const std::string& repository) const {
  const auto fits = [&](const std::string& pattern) { return path_glob_matches(pattern, repository); };
  return repository.starts_with(destination.strip) && std::ranges::any_of(filters.repositories, fits);
}

Result<Policy> Policy::parse(const api::Json& document) {
  if (!document.is_object()) return Error(ErrorKind::kInvalid, "a policy is an object with name, direction and remote");
  Document in(document, "");
  Policy policy;
  if (auto read = in.read("name", policy.name); !read) return read.error();
  if (!is_policy_name(policy.name))
    return in.wrong("name", excerpt(policy.name) + " is no name of a policy: letters a-z, digits, and - _ . within");
  if (auto read = in.read("enabled", policy.enabled); !read) return read.error();
  std::string direction;
  if (auto read = in.read("direction", direction); !read) return read.error();
  if (direction != "push" && direction != "pull") return in.wrong("direction", "must be push or pull");
  policy.direction = direction == "push" ? Direction::kPush : Direction::kPull;
  auto remote = in.object("remote");
  if (!remote) return remote.error();
  if (auto read = read_remote(std::move(*remote), policy.remote); !read) return read.error();
  auto filters = in.object("filters");
  if (!filters) return filters.error();
  if (auto read = read_filters(std::move(*filters), policy.filters); !read) return read.error();
  auto destination = in.object("destination");
  if (!destination) return destination.error();
  if (auto read = read_destination(std::move(*destination), policy.destination); !read) return read.error();
  auto trigger = in.object("trigger");
  if (!trigger) return trigger.error();
  if (auto read = read_trigger(std::move(*trigger), policy); !read) return read.error();
  if (auto read = in.read("deletions", policy.deletions); !read) return read.error();
  if (policy.deletions && policy.filters.read_images())
    return in.wrong("deletions",
                    "only with filters of repositories and tags: what the others leave out would be deleted too");
  if (auto read = in.read("overwrite", policy.overwrite); !read) return read.error();
  if (auto read = in.read("verify", policy.verify); !read) return read.error();
  auto limits = in.object("limits");
  if (!limits) return limits.error();
  if (auto read = read_limits(std::move(*limits), policy); !read) return read.error();
  if (auto read = read_windows(in, policy); !read) return read.error();
  std::int64_t priority = 0;
  if (auto read = in.read("priority", -kMaxPriority, kMaxPriority, priority); !read) return read.error();
  policy.priority = static_cast<int>(priority);
  if (auto finished = in.finish(); !finished) return finished.error();
  return policy;
}

api::Json Policy::to_json() const {
  api::Json document;
  document["name"] = name;
  document["enabled"] = enabled;
  document["direction"] = name_of(direction);
  document["remote"] = {{"url", remote.url}};
  if (!remote.credentials_file.empty()) document["remote"]["credentials-file"] = remote.credentials_file;
  if (!remote.ca_file.empty()) document["remote"]["ca-file"] = remote.ca_file;
  if (!remote.realms.empty()) document["remote"]["realms"] = remote.realms;
  if (!remote.redirects.empty()) document["remote"]["redirects"] = remote.redirects;
  auto& into = document["filters"];
  into["repositories"] = filters.repositories;
  into["tags"] = filters.tags;
  if (!filters.labels.empty()) into["labels"] = filters.labels;
  if (!filters.media_types.empty()) into["media-types"] = filters.media_types;
  if (!filters.platforms.empty()) into["platforms"] = filters.platforms;
  if (filters.latest > 0) into["latest"] = filters.latest;
  if (destination != Destination())
    document["destination"] = {{"strip", destination.strip}, {"prefix", destination.prefix}};
  document["trigger"] = {{"on", name_of(trigger)}};
  if (schedule) document["trigger"]["cron"] = schedule->text();
  document["deletions"] = deletions;
  document["overwrite"] = overwrite;
  document["verify"] = verify;
  document["limits"] = {{"bytes-per-second", bytes_per_second}, {"concurrent", concurrent}};
  for (const TimeWindow& window : windows)
    document["windows"].push_back({{"days", window.day_names()}, {"from", window.from()}, {"to", window.to()}});
  document["priority"] = priority;
  return document;
}

api::Json Policy::schema() {
  return api::Json::parse(R"({
    "type": "object", "required": ["name", "direction", "remote"], "additionalProperties": false,
    "properties": {
      "name": {"type": "string", "pattern": "^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$", "maxLength": 64},
      "enabled": {"type": "boolean", "default": true},
      "direction": {"enum": ["push", "pull"]},
      "remote": {"type": "object", "required": ["url"], "additionalProperties": false, "properties": {
        "url": {"type": "string", "description": "https://registry.example:5000, without /v2"},
        "credentials-file": {"type": "string", "description": "on the master's disk: USER:PASSWORD, or docker's config.json"},
        "ca-file": {"type": "string", "description": "PEM, on the master's disk"},
        "realms": {"type": "array", "items": {"type": "string"}, "description": "hosts of token servers beside its own"},
        "redirects": {"type": "array", "items": {"type": "string"}, "description": "hosts with private addresses that its blobs may come from"}}},
      "filters": {"type": "object", "additionalProperties": false, "properties": {
        "repositories": {"type": "array", "items": {"type": "string"}, "default": ["**"],
                         "description": "patterns of the source's names; * and ? within a part, ** over parts"},
        "tags": {"type": "array", "items": {"type": "string"}, "default": ["**"]},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "media-types": {"type": "array", "items": {"type": "string"}},
        "platforms": {"type": "array", "items": {"type": "string"}, "description": "OS/ARCH[/VARIANT]"},
        "latest": {"type": "integer", "minimum": 0, "description": "the newest so many of a repository; 0: all"}}},
      "destination": {"type": "object", "additionalProperties": false, "properties": {
        "strip": {"type": "string", "description": "taken off the front of a repository's name"},
        "prefix": {"type": "string", "description": "then put there, e.g. mirror/"}}},
      "trigger": {"type": "object", "additionalProperties": false, "properties": {
        "on": {"enum": ["manual", "push", "schedule"], "default": "manual"},
        "cron": {"type": "string", "description": "minute hour day-of-month month day-of-week, in UTC"}}},
      "deletions": {"type": "boolean", "default": false,
                    "description": "what fits the filters at the target and is not at the source is deleted there"},
      "overwrite": {"type": "boolean", "default": true},
      "verify": {"type": "boolean", "default": true,
                 "description": "both sides are compared once more after a full comparison, when all is done"},
      "limits": {"type": "object", "additionalProperties": false, "properties": {
        "bytes-per-second": {"type": "integer", "minimum": 0, "description": "0: any"},
        "concurrent": {"type": "integer", "minimum": 1, "maximum": 64, "default": 4}}},
      "windows": {"type": "array", "description": "when it may run, in UTC; none: always", "items": {
        "type": "object", "required": ["from", "to"], "additionalProperties": false, "properties": {
          "days": {"type": "array", "items": {"enum": ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]}},
          "from": {"type": "string", "examples": ["22:00"]}, "to": {"type": "string", "examples": ["06:00"]}}}},
      "priority": {"type": "integer", "default": 0}
    }})");
}

}  // namespace wherry::replication
