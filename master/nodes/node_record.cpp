#include "master/nodes/node_record.h"

#include <nlohmann/json.hpp>

namespace wherry::master {

std::string NodeRecord::encode() const {
  return nlohmann::json{{"name", name},
                        {"projects", projects},
                        {"site", site},
                        {"added_at", to_millis(added_at)},
                        {"secret_hash", secret_hash},
                        {"secret_until", to_millis(secret_until)},
                        {"key_hash", key_hash},
                        {"serials", serials}}
      .dump();
}

Result<NodeRecord> NodeRecord::decode(std::string_view row) {
  NodeRecord record;
  try {
    const auto json = nlohmann::json::parse(row);
    record.name = json.at("name");
    record.projects = json.at("projects").get<std::vector<std::string>>();
    record.site = json.at("site");
    record.added_at = from_millis(json.at("added_at"));
    record.secret_hash = json.at("secret_hash");
    record.secret_until = from_millis(json.at("secret_until"));
    record.key_hash = json.at("key_hash");
    record.serials = json.at("serials").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception&) {
    return Error(ErrorKind::kCorrupt, "the row of a node is damaged");
  }
  return record;
}

}  // namespace wherry::master
