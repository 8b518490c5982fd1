// A node and the registry that clients reach through it, as the tests of clients' files have them.
#pragma once

#include "node/clients/mirror.h"

namespace wherry::testing {

inline const node::NodePlace kNode = node::NodePlace::parse("http://127.0.0.1:5010").value();
inline const node::Mirror kHub{"docker.io", "docker.io", "https://registry-1.docker.io"};

}  // namespace wherry::testing
