// What is known of a registry before it is asked.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "common/oci/platforms.h"
#include "common/upstream/budget.h"

namespace wherry {

struct UpstreamOptions {
  std::string name;              ///< As clients name it: "docker.io", "registry.example:5000"; the parent's is empty.
  std::string url;               ///< http://host:port or https://..., without /v2
  std::string ca_file;           ///< PEM; empty: the system's
  std::string credentials_file;  ///< see read_credentials()
  std::string proxy;             ///< URL; empty: none
  std::vector<std::string> aliases;    ///< other names of it in `?ns=` and paths
  std::vector<std::string> allow;      ///< patterns of repositories that may be asked for; empty: all
  std::vector<std::string> deny;       ///< patterns of those that may not, whatever `allow` says
  std::vector<std::string> realms;     ///< hosts (with port, if any) of token servers beside its own
  std::vector<std::string> redirects;  ///< hosts that it may redirect to although their addresses are not public
  PlatformChoice platforms;            ///< images of these come with the index that names them
  bool library = false;                ///< names of one part are below library/
  BudgetLimits limits;
  std::chrono::milliseconds connect_time{5'000};
  std::chrono::milliseconds silence{30'000};
  std::uint64_t least_bytes_per_second = 1024;  ///< of a blob, over `silence`: a slower source is given up; 0: any
  std::chrono::milliseconds negative_age{0};    ///< how long "not there" is believed; at most kMaxNegativeAge
};

}  // namespace wherry
