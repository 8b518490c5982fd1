// Who stands in the audit log for somebody who asked.
#pragma once

#include "common/auth/identity.h"
#include "master/audit/event.h"

namespace wherry::audit {

inline AuditActor actor_of(const auth::Identity& who) {
  AuditActor actor;
  actor.id = who.id;
  actor.name = who.name;
  switch (who.kind) {
    case auth::Identity::Kind::kUser: actor.kind = ActorKind::kUser; break;
    case auth::Identity::Kind::kRobot: actor.kind = ActorKind::kRobot; break;
    case auth::Identity::Kind::kNode: actor.kind = ActorKind::kNode; break;
    default: actor.kind = ActorKind::kAnonymous; break;
  }
  return actor;
}

}  // namespace wherry::audit
