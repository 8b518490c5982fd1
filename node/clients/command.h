// The `configure-client` command.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace wherry::node {

/// Adds `configure-client` to a program; `run` is what it does when that is what the command line says. Exit codes: 0,
/// 64 wrong use, 74 a file cannot be written, 78 the node's configuration or a client's file is wrong.
void add_configure_client(CLI::App& program, std::function<int()>& run);

}  // namespace wherry::node
