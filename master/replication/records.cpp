#include "master/replication/records.h"

#include <array>
#include <utility>

namespace wherry::replication {
namespace {

constexpr std::array<std::pair<State, std::string_view>, 7> kStates = {{{State::kPlanning, "planning"},
                                                                        {State::kWaiting, "waiting"},
                                                                        {State::kRunning, "running"},
                                                                        {State::kSucceeded, "succeeded"},
                                                                        {State::kFailed, "failed"},
                                                                        {State::kStopped, "stopped"},
                                                                        {State::kSkipped, "skipped"}}};
constexpr std::array<std::pair<TaskKind, std::string_view>, 3> kKinds = {
    {{TaskKind::kCopy, "copy"}, {TaskKind::kDeleteTag, "delete-tag"}, {TaskKind::kDeleteManifest, "delete-manifest"}}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
  for (const auto& [each, name] : table)
    if (each == value) return name;
  return "";
}

constexpr const char* kByFeed = "feed";
constexpr const char* kByComparison = "full comparison";

void put_time(api::Json& document, const char* key, const std::optional<WallTime>& time) {
  if (time) document[key] = to_rfc3339(*time);
}

/// Times are kept to the millisecond beside the form that people read.
void put_millis(api::Json& document, const char* key, const std::optional<WallTime>& time) {
  if (time) document[key] = to_millis(*time);
}

std::optional<WallTime> millis_of(const api::Json& document, const char* key) {
  const auto found = document.find(key);
  if (found == document.end() || !found->is_number_integer()) return std::nullopt;
  return from_millis(found->get<std::int64_t>());
}

Error corrupt(std::string_view what) { return Error(ErrorKind::kCorrupt, "a stored {} is not in its form", what); }

}  // namespace

std::string_view name_of(State state) { return name_in(kStates, state); }
std::string_view name_of(TaskKind kind) { return name_in(kKinds, kind); }

std::optional<State> state_of(std::string_view name) {
  for (const auto& [state, each] : kStates)
    if (each == name) return state;
  return std::nullopt;
}

bool is_over(State state) {
  return state == State::kSucceeded || state == State::kFailed || state == State::kStopped || state == State::kSkipped;
}

api::Json TaskRecord::to_json() const {
  api::Json document;
  document["number"] = number;
  document["kind"] = name_of(kind);
  document["repository"] = repository;
  document["target"] = target;
  document["tag"] = tag;
  document["digest"] = digest;
  document["state"] = name_of(state);
  document["attempts"] = attempts;
  document["bytes"] = bytes;
  document["blobs"] = blobs;
  document["manifests"] = manifests;
  document["error"] = error;
  put_time(document, "started", started);
  put_time(document, "ended", ended);
  put_millis(document, "started-ms", started);
  put_millis(document, "ended-ms", ended);
  put_millis(document, "not-before-ms", not_before);
  if (!session.empty()) document["session"] = {{"digest", session_digest}, {"place", session}};
  return document;
}

Result<TaskRecord> TaskRecord::parse(const api::Json& document) try {
  TaskRecord task;
  task.number = document.at("number").get<std::uint64_t>();
  for (const auto& [kind, name] : kKinds)
    if (document.at("kind") == name) task.kind = kind;
  task.repository = document.at("repository").get<std::string>();
  task.target = document.at("target").get<std::string>();
  task.tag = document.at("tag").get<std::string>();
  task.digest = document.at("digest").get<std::string>();
  const auto state = state_of(document.at("state").get<std::string>());
  if (!state) return corrupt("task");
  task.state = *state;
  task.attempts = document.at("attempts").get<std::uint64_t>();
  task.bytes = document.at("bytes").get<std::uint64_t>();
  task.blobs = document.at("blobs").get<std::uint64_t>();
  task.manifests = document.at("manifests").get<std::uint64_t>();
  task.error = document.at("error").get<std::string>();
  task.started = millis_of(document, "started-ms");
  task.ended = millis_of(document, "ended-ms");
  task.not_before = millis_of(document, "not-before-ms");
  if (document.contains("session")) {
    task.session_digest = document["session"].at("digest").get<std::string>();
    task.session = document["session"].at("place").get<std::string>();
  }
  return task;
} catch (const api::Json::exception&) {
  return corrupt("task");
}

api::Json TaskRecord::schema() {
  return api::Json::parse(R"({"type": "object", "properties": {
    "number": {"type": "integer"}, "kind": {"enum": ["copy", "delete-tag", "delete-manifest"]},
    "repository": {"type": "string"}, "target": {"type": "string"}, "tag": {"type": "string"},
    "digest": {"type": "string"},
    "state": {"enum": ["waiting", "running", "succeeded", "failed", "stopped", "skipped"]},
    "attempts": {"type": "integer"}, "bytes": {"type": "integer", "description": "of blobs that the target took"},
    "blobs": {"type": "integer"}, "manifests": {"type": "integer"}, "error": {"type": "string"},
    "started": {"type": "string", "format": "date-time"}, "ended": {"type": "string", "format": "date-time"}}})");
}

api::Json Execution::to_json() const {
  api::Json document;
  document["id"] = id;
  document["policy"] = policy_name;
  document["trigger"] = trigger;
  document["state"] = name_of(state);
  document["stop-asked"] = stop_asked;
  document["created"] = to_rfc3339(created);
  put_time(document, "ended", ended);
  document["error"] = error;
  document["progress"] = {{"tasks", progress.tasks},        {"succeeded", progress.succeeded},
                          {"failed", progress.failed},      {"skipped", progress.skipped},
                          {"bytes", progress.bytes},        {"blobs", progress.blobs},
                          {"manifests", progress.manifests}};
  if (found && found->whole) document["found"] = {{"by", kByComparison}, {"because", found->because}};
  if (found && !found->whole) document["found"] = {{"by", kByFeed}, {"from", found->from}, {"to", found->to}};
  document["full"] = full;
  document["position"] = position;
  document["source"] = source.to_json();
  document["more-to-delete"] = more_to_delete;
  if (differences) document["differences"] = *differences;
  document["created-ms"] = to_millis(created);
  put_millis(document, "ended-ms", ended);
  document["as-planned"] = policy;
  return document;
}

Result<Execution> Execution::parse(const api::Json& document) try {
  Execution execution;
  execution.id = document.at("id").get<std::uint64_t>();
  execution.policy_name = document.at("policy").get<std::string>();
  execution.policy = document.at("as-planned");
  execution.trigger = document.at("trigger").get<std::string>();
  const auto state = state_of(document.at("state").get<std::string>());
  if (!state) return corrupt("execution");
  execution.state = *state;
  execution.stop_asked = document.at("stop-asked").get<bool>();
  execution.created = from_millis(document.at("created-ms").get<std::int64_t>());
  execution.ended = millis_of(document, "ended-ms");
  execution.error = document.at("error").get<std::string>();
  if (document.contains("found")) {
    const api::Json& found = document["found"];
    execution.found = found.at("by") == kByFeed
                          ? Found::by_feed(found.at("from").get<std::uint64_t>(), found.at("to").get<std::uint64_t>())
                          : Found::all(found.at("because").get<std::string>());
  }
  execution.full = document.value("full", false);
  execution.position = document.at("position").get<std::uint64_t>();
  if (document.contains("source")) {
    auto source = SourcePlace::parse(document["source"]);
    if (!source) return source.error();
    execution.source = std::move(*source);
  }
  execution.more_to_delete = document.value("more-to-delete", false);
  if (document.contains("differences")) execution.differences = document["differences"].get<std::uint64_t>();
  const auto& progress = document.at("progress");
  execution.progress = {progress.at("tasks").get<std::uint64_t>(),    progress.at("succeeded").get<std::uint64_t>(),
                        progress.at("failed").get<std::uint64_t>(),   progress.at("skipped").get<std::uint64_t>(),
                        progress.at("bytes").get<std::uint64_t>(),    progress.at("blobs").get<std::uint64_t>(),
                        progress.at("manifests").get<std::uint64_t>()};
  return execution;
} catch (const api::Json::exception&) {
  return corrupt("execution");
}

api::Json Execution::schema() {
  return api::Json::parse(R"({"type": "object", "properties": {
    "id": {"type": "integer"}, "policy": {"type": "string"}, "trigger": {"enum": ["manual", "push", "schedule"]},
    "state": {"enum": ["planning", "waiting", "running", "succeeded", "failed", "stopped"]},
    "stop-asked": {"type": "boolean"}, "created": {"type": "string", "format": "date-time"},
    "ended": {"type": "string", "format": "date-time"}, "error": {"type": "string"},
    "full": {"type": "boolean", "description": "a full comparison was asked for"},
    "found": {"type": "object", "required": ["by"],
              "description": "how it found what it looked at; absent before it is planned", "properties": {
      "by": {"enum": ["feed", "full comparison"]},
      "from": {"type": "integer", "description": "of a feed: the entries after this position of the source's,"},
      "to": {"type": "integer", "description": "up to this one"},
      "because": {"type": "string", "description": "of a comparison: why the feed was not enough"}}},
    "progress": {"type": "object", "properties": {
      "tasks": {"type": "integer"}, "succeeded": {"type": "integer"}, "failed": {"type": "integer"},
      "skipped": {"type": "integer"}, "bytes": {"type": "integer"}, "blobs": {"type": "integer"},
      "manifests": {"type": "integer"}}},
    "differences": {"type": "integer", "description": "images that differed when both sides were compared at the end"},
    "as-planned": {"$ref": "#/components/schemas/ReplicationPolicy"}}})");
}

api::Json PolicyState::to_json() const {
  api::Json document = {{"source", source.to_json()}};
  if (position) document["position"] = *position;
  if (!strays.empty()) document["strays"] = strays;
  if (scheduled) document["scheduled"] = to_millis(*scheduled);
  return document;
}

PolicyState PolicyState::parse(const api::Json& document) try {
  PolicyState state;
  if (!document.is_object()) return state;
  if (document.contains("position")) state.position = document["position"].get<std::uint64_t>();
  if (document.contains("source")) {
    if (auto source = SourcePlace::parse(document["source"])) state.source = std::move(*source);
  }
  state.strays = document.value("strays", std::vector<std::string>());
  state.scheduled = millis_of(document, "scheduled");
  return state;
} catch (const api::Json::exception&) {
  return {};
}

}  // namespace wherry::replication
