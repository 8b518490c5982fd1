#include "master/cli/replication_tables.h"

#include <fmt/format.h>

#include "common/config/text.h"
#include "common/oci/excerpt.h"

namespace wherry::master {
namespace {

using api::Json;

constexpr std::size_t kCellBytes = 80;
constexpr std::size_t kErrorBytes = 300;

const Json& member(const Json& object, const char* key) {
  static const Json kNothing;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() ? *found : kNothing;
}

std::string text(const Json& value, std::size_t most = kCellBytes) {
  if (value.is_string()) return printable(value.get<std::string>(), most);
  return value.is_null() ? "" : printable(value.dump(), most);
}

std::string text(const Json& object, const char* key) { return text(member(object, key)); }

std::string joined(const Json& list) {
  if (!list.is_array()) return "";
  std::string all;
  for (const Json& item : list) all += (all.empty() ? "" : " ") + text(item);
  return printable(all, kCellBytes);
}

std::string bytes(const Json& value) { return value.is_number() ? human_bytes(value.get<double>()) : ""; }

std::string trigger(const Json& policy) {
  const Json& on = member(policy, "trigger");
  const std::string cron = text(on, "cron");
  return text(on, "on") + (cron.empty() ? "" : " " + cron);
}

std::string images(const Json& execution) {
  const Json& progress = member(execution, "progress");
  std::string all = text(progress, "succeeded") + "/" + text(progress, "tasks");
  if (const Json& failed = member(progress, "failed"); failed.is_number() && failed.get<double>() > 0)
    all += " (" + text(failed) + " failed)";
  return all;
}

/// "feed 1042..1080" or "full comparison"; empty before it is planned.
std::string found_by(const Json& execution) {
  const Json& found = member(execution, "found");
  if (text(found, "by") != "feed") return text(found, "by");
  return "feed " + text(found, "from") + ".." + text(found, "to");
}

}  // namespace

std::string policy_table(const Json& policies) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& policy : policies)
    rows.push_back({text(policy, "name"), text(policy, "direction"), text(member(policy, "remote"), "url"),
                    joined(member(member(policy, "filters"), "repositories")), trigger(policy),
                    member(policy, "enabled") == true ? "" : "disabled"});
  return text_table({"NAME", "DIRECTION", "REMOTE", "REPOSITORIES", "TRIGGER", ""}, rows);
}

std::string execution_table(const Json& executions) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& each : executions)
    rows.push_back({text(each, "id"), text(each, "policy"), text(each, "trigger"), text(each, "state"), found_by(each),
                    images(each), bytes(member(member(each, "progress"), "bytes")), text(each, "created"),
                    text(each, "ended")});
  return text_table({"ID", "POLICY", "TRIGGER", "STATE", "FOUND BY", "IMAGES", "SENT", "BEGUN", "ENDED"}, rows);
}

std::string execution_page(const Json& execution, const Json& tasks) {
  std::string page = execution_table(Json::array({execution}));
  if (const auto error = text(member(execution, "error"), kErrorBytes); !error.empty())
    page += "error: " + error + "\n";
  if (const auto because = text(member(member(execution, "found"), "because"), kErrorBytes); !because.empty())
    page += "all was compared: " + because + "\n";
  std::vector<std::vector<std::string>> rows;
  for (const Json& task : tasks) {
    const std::string tag = text(task, "tag");
    rows.push_back({text(task, "number"), text(task, "kind"),
                    text(task, "target") + (tag.empty() ? "@" + text(task, "digest") : ":" + tag), text(task, "state"),
                    text(task, "attempts"), bytes(member(task, "bytes")), text(member(task, "error"), kErrorBytes)});
  }
  if (!rows.empty()) page += "\n" + text_table({"TASK", "KIND", "IMAGE", "STATE", "TRIES", "SENT", "ERROR"}, rows);
  return page;
}

std::string progress_line(const Json& execution) {
  return fmt::format("{}: {} images, {}", text(execution, "state"), images(execution),
                     bytes(member(member(execution, "progress"), "bytes")));
}

}  // namespace wherry::master
