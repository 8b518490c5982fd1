// Observed: what a command asks of a node that runs, at its observe address.
#pragma once

#include <memory>
#include <string>

#include "common/async/task.h"
#include "common/base/error.h"
#include "common/config/command.h"

namespace wherry::node {

/// Which node a command asks, and how it shows what it is told.
struct ObserveOptions {
  std::string observe;
  std::string config;
  std::string ca_file;
  bool json = false;
};

/// Adds the flags that fill these in, which have to live until the program ends.
void add_observe_options(Command& command, ObserveOptions& options);

/// The node's /status.json. Errors: kInvalid, naming a flag or the key of a file: the command line is wrong.
Result<std::string> status_url(const ObserveOptions& options);

/// What the node answers there: 200 and a document. Errors: those of http::Client::open(), kUpstream.
Task<Result<std::string>> ask_status(std::string url, std::string ca_file);

/// One line on stderr, of the command of that name; gives the exit code.
int say_failure(const char* command, const Error& error);

}  // namespace wherry::node
