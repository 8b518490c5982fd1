// The names of a registry that somebody may see, a page at a time.
#pragma once

#include <string>

#include "common/auth/visitor.h"
#include "common/registry/catalog.h"

namespace wherry::registry {

/// Of repositories, those after `last` that `visitor` may list, at most `limit`; more() is true when he may list one
/// more. Looks only where his rights say that such names can be: what others have costs him, and the server, one seek
/// for each place that is passed over. Of a pattern with a star in its middle ("team/*/app") all is looked at that
/// begins as it does; after kMostNamesLooked of them a page ends with what it has, if it has any. Errors: the
/// catalog's.
Task<Result<NamePage>> visible_repositories(Catalog& catalog, const auth::Visitor& visitor, std::string last,
                                            std::size_t limit);

inline constexpr std::size_t kMostNamesLooked = 100'000;

}  // namespace wherry::registry
