#include "master/cli/server_command.h"

#include <cstdio>

#include "common/async/run_on_loop.h"
#include "common/daemon/daemon.h"

namespace wherry::master {

Command add_server_command(Command& below, std::string program, std::shared_ptr<ServerOptions> options,
                           const std::string& name, const std::string& help, std::function<Task<int>()> work) {
  Command command = below.command(name, help, [program = std::move(program), options, work = std::move(work)] {
    if (auto good = check(*options); !good) {
      failed(program, good.error());
      return static_cast<int>(kExitUsage);
    }
    return run_on_loop(work);
  });
  command.option("--server", options->server, "URL of the master; http://127.0.0.1:5000 if left out");
  command.option("--ca-file", options->ca_file, "PEM of who vouches for the master's certificate");
  command.option("--user", options->user, "logs in for this command alone; with --password-file or asking for it");
  command.option("--password-file", options->password_file, "file with the password of --user; - for standard input");
  command.flag("--json", options->json, "as the API has it");
  return command;
}

int failed(std::string_view program, const Error& error) {
  std::fprintf(stderr, "wherry-master %s: %s\n", std::string(program).c_str(), error.message().c_str());
  return 1;
}

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }
void print_json(const api::Json& document) { print(document.dump(2) + "\n"); }

}  // namespace wherry::master
