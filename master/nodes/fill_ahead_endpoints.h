// The endpoints of fill-ahead policies in the administration API.
#pragma once

#include "common/kv/key_value.h"
#include "master/api/api.h"

namespace wherry::master {

/// Adds /api/v1/replication/fill-ahead: policies that go out with the feed, and that nodes carry out by themselves.
void add_fill_ahead_endpoints(api::Api& api, kv::KeyValue& store);

}  // namespace wherry::master
