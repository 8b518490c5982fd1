// The commands of wherry-node for a node that runs.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace wherry::node {

/// Each adds its subcommand; when that was given, `run` does it and gives the exit code.
void add_status(CLI::App& app, std::function<int()>& run);
void add_pull(CLI::App& app, std::function<int()>& run);

}  // namespace wherry::node
