// The endpoint of what nodes share with one another in the administration API.
#pragma once

#include "common/swarm/introducer.h"
#include "master/api/api.h"

namespace wherry::master {

/// Adds /api/v1/swarms. The introducer outlives the API.
void add_swarm_endpoints(api::Api& api, swarm::Introducer& introducer);

}  // namespace wherry::master
