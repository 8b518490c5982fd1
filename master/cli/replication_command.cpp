#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>

#include "common/async/sleep.h"
#include "common/config/document_file.h"
#include "common/http/uri.h"
#include "common/oci/excerpt.h"
#include "master/cli/api_client.h"
#include "master/cli/commands.h"
#include "master/cli/replication_tables.h"
#include "master/cli/server_command.h"

namespace wherry::master {
namespace {

using api::Json;

constexpr std::chrono::milliseconds kPollTime{300};
constexpr const char* kPolicies = "/api/v1/replication/policies";
constexpr const char* kExecutions = "/api/v1/replication/executions";
constexpr int kShownTasks = 500;

struct ReplicationOptions : ServerOptions {
  std::string name;
  std::string file;
  std::string id;
  std::string policy;
  bool wait = false;
  bool full = false;
};

constexpr const char* kProgram = "replication";

int failed(const Error& error) { return wherry::master::failed(kProgram, error); }

std::string policy_path(const std::string& name) { return std::string(kPolicies) + "/" + http::percent_encode(name); }
std::string execution_path(const std::string& id) { return std::string(kExecutions) + "/" + http::percent_encode(id); }

Task<int> list_policies(const ReplicationOptions& options) {
  ApiClient client(options);
  auto policies = co_await client.ask("GET", kPolicies);
  if (!policies) co_return failed(policies.error());
  options.json ? print_json(*policies) : print(policy_table(*policies));
  co_return 0;
}

Task<int> show_policy(const ReplicationOptions& options) {
  ApiClient client(options);
  auto policy = co_await client.ask("GET", policy_path(options.name));
  if (!policy) co_return failed(policy.error());
  print_json(*policy);
  co_return 0;
}

Task<int> apply_policies(const ReplicationOptions& options) {
  auto documents = read_documents(options.file);
  if (!documents) co_return failed(documents.error());
  if (documents->empty()) co_return failed(Error(ErrorKind::kInvalid, "{}: holds no policy", options.file));
  ApiClient client(options);
  for (const std::string& text : *documents) {
    auto document = Json::parse(text, nullptr, false);
    const std::string name = document.is_object() && document.contains("name") && document["name"].is_string()
                                 ? document["name"].get<std::string>()
                                 : std::string();
    if (name.empty()) co_return failed(Error(ErrorKind::kInvalid, "{}: name: a policy has none", options.file));
    auto kept = co_await client.ask("PUT", policy_path(name), std::move(document));
    if (!kept) co_return failed(kept.error());
    options.json ? print_json(*kept) : print("policy " + printable(name, 64) + " is in force\n");
  }
  co_return 0;
}

Task<int> remove_policy(const ReplicationOptions& options) {
  ApiClient client(options);
  auto removed = co_await client.ask("DELETE", policy_path(options.name));
  if (!removed) co_return failed(removed.error());
  print("policy " + printable(options.name, 64) + " is removed\n");
  co_return 0;
}

bool has_ended(const Json& execution) {
  const std::string state = execution.value("state", "");
  return state == "succeeded" || state == "failed" || state == "stopped";
}

/// Shows how it goes on, on a terminal, until it ends; exit code 0 when it succeeded.
Task<int> wait_for(const ReplicationOptions& options, ApiClient& client, std::string id) {
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  while (true) {
    auto execution = co_await client.ask("GET", execution_path(id));
    if (!execution) co_return failed(execution.error());
    if (terminal) std::fprintf(stderr, "\r\033[K%s", progress_line(*execution).c_str());
    if (has_ended(*execution)) {
      if (terminal) std::fputs("\r\033[K", stderr);
      options.json ? print_json(*execution) : print(execution_page(*execution, Json::array()));
      co_return execution->value("state", "") == "succeeded" ? 0 : 1;
    }
    co_await sleep_for(kPollTime);
  }
}

Task<int> run_policy(const ReplicationOptions& options) {
  ApiClient client(options);
  const std::string path = policy_path(options.name) + (options.full ? "/run?full=true" : "/run");
  auto execution = co_await client.ask("POST", path);
  if (!execution) co_return failed(execution.error());
  const std::string id = std::to_string(execution->value("id", std::uint64_t{0}));
  if (options.wait) co_return co_await wait_for(options, client, id);
  options.json ? print_json(*execution) : print("execution " + id + " is begun\n");
  co_return 0;
}

Task<int> list_executions(const ReplicationOptions& options) {
  ApiClient client(options);
  std::string path = kExecutions;
  if (!options.policy.empty()) path += "?policy=" + http::percent_encode(options.policy);
  auto executions = co_await client.ask("GET", path);
  if (!executions) co_return failed(executions.error());
  options.json ? print_json(*executions) : print(execution_table(*executions));
  co_return 0;
}

Task<int> show_execution(const ReplicationOptions& options) {
  ApiClient client(options);
  auto execution = co_await client.ask("GET", execution_path(options.id));
  if (!execution) co_return failed(execution.error());
  auto tasks = co_await client.ask("GET", execution_path(options.id) + "/tasks?n=" + std::to_string(kShownTasks));
  if (!tasks) co_return failed(tasks.error());
  if (options.json) {
    (*execution)["tasks"] = std::move(*tasks);
    print_json(*execution);
  } else {
    print(execution_page(*execution, *tasks));
  }
  co_return 0;
}

Task<int> change_execution(const ReplicationOptions& options, std::string verb, std::string done) {
  ApiClient client(options);
  auto execution = co_await client.ask("POST", execution_path(options.id) + "/" + verb);
  if (!execution) co_return failed(execution.error());
  options.json ? print_json(*execution) : print("execution " + printable(options.id, 20) + " " + done + "\n");
  co_return 0;
}

using Options = std::shared_ptr<ReplicationOptions>;
using Work = std::function<Task<int>(const ReplicationOptions&)>;

Command add(Command& below, const Options& options, const std::string& name, const std::string& help, Work work) {
  return add_server_command(below, kProgram, options, name, help, [options, work] { return work(*options); });
}

}  // namespace

void add_replication(Command& program) {
  auto options = std::make_shared<ReplicationOptions>();
  Command replication = program.group("replication", "policies that keep registries the same, and their executions");
  Command policy = replication.group("policy", "what is to be the same, and when it is made so");
  add(policy, options, "list", "all policies", list_policies);
  add(policy, options, "show", "one policy, as apply takes it", show_policy)
      .option("NAME", options->name, "the policy")
      .required();
  add(policy, options, "apply", "makes or replaces the policies of a file", apply_policies)
      .option("-f,--file", options->file, "YAML or JSON; - is the standard input")
      .required();
  add(policy, options, "remove", "removes a policy; what it copied stays", remove_policy)
      .option("NAME", options->name, "the policy")
      .required();
  Command run = add(replication, options, "run", "carries out a policy now", run_policy);
  run.option("NAME", options->name, "the policy").required();
  run.flag("--full", options->full, "compares all, whatever the source's feed tells");
  run.flag("--wait", options->wait, "until it has ended; exit code 0 when all went well");
  add(replication, options, "executions", "what was carried out, the newest first", list_executions)
      .option("--policy", options->policy, "of this policy alone");
  add(replication, options, "show", "an execution and its tasks", show_execution)
      .option("ID", options->id, "the execution")
      .required();
  const Work stop = [](const ReplicationOptions& with) { return change_execution(with, "stop", "is asked to stop"); };
  add(replication, options, "stop", "stops an execution", stop).option("ID", options->id, "the execution").required();
  const Work retry = [](const ReplicationOptions& with) { return change_execution(with, "retry", "goes on"); };
  add(replication, options, "retry", "does what failed or was stopped of an execution again", retry)
      .option("ID", options->id, "the execution")
      .required();
}

}  // namespace wherry::master
