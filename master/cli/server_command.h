// Commands that speak to a master that runs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/config/command.h"
#include "master/cli/api_client.h"

namespace wherry::master {

/// Adds a command below another one that does `work` on a loop, once its server is known to be a URL, with the flags
/// that say which master is meant. `options` is filled in by them; `program` names the command in what goes to stderr.
Command add_server_command(Command& below, std::string program, std::shared_ptr<ServerOptions> options,
                           const std::string& name, const std::string& help, std::function<Task<int>()> work);

/// One line on stderr; gives the exit code.
int failed(std::string_view program, const Error& error);
void print(const std::string& text);
void print_json(const api::Json& document);

}  // namespace wherry::master
