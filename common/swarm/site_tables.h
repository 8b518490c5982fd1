// The site map as people read it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace wherry::swarm {

/// The tables of what SiteMap::to_json() gave, maybe by another version of this program; nothing in it makes a terminal
/// do anything. One line when nobody shares anything.
std::string site_tables(const nlohmann::ordered_json& map);

}  // namespace wherry::swarm
