#include "master/replication/source_place.h"

#include "common/base/bytes.h"

namespace wherry::replication {

api::Json SourcePlace::to_json() const {
  api::Json document = {{"key", key}};
  if (at) document["at"] = {{"epoch", at->epoch}, {"position", at->position}, {"chain", to_hex(at->chain)}};
  return document;
}

Result<SourcePlace> SourcePlace::parse(const api::Json& document) try {
  SourcePlace place;
  place.key = document.at("key").get<std::string>();
  if (document.contains("at")) {
    const api::Json& at = document["at"];
    const auto chain = from_hex(at.at("chain").get<std::string>());
    if (!chain || chain->size() != sizeof(feed::Hash))
      return Error(ErrorKind::kCorrupt, "a stored place in a source's feed is not in its form");
    place.at =
        feed::Head{at.at("position").get<std::uint64_t>(), at.at("epoch").get<std::uint64_t>(), feed::to_hash(*chain)};
  }
  return place;
} catch (const api::Json::exception&) {
  return Error(ErrorKind::kCorrupt, "a stored place in a source's feed is not in its form");
}

bool is_before(const feed::Head& head, const feed::Head& other) {
  return head.epoch != other.epoch ? head.epoch < other.epoch : head.position < other.position;
}

}  // namespace wherry::replication
