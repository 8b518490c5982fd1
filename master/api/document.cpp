#include "master/api/document.h"

#include "common/base/json.h"
#include "common/oci/excerpt.h"

namespace wherry::api {
namespace {

constexpr std::size_t kMaxTextBytes = 4096;
constexpr std::size_t kMaxItems = 256;

const Json kEmptyObject = Json::object();

}  // namespace

Error Document::wrong(const std::string& key, const std::string& why) const {
  const std::string place = place_of(key);
  return Error(ErrorKind::kInvalid, "{}: {}", place, why).with_detail("{\"field\":" + json_string(place) + "}");
}

const Json* Document::find(const std::string& key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Result<void> Document::read(const std::string& key, std::string& into) {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) return wrong(key, "must be a text");
  if (value->get_ref<const std::string&>().size() > kMaxTextBytes) return wrong(key, "is too long");
  into = value->get<std::string>();
  return {};
}

Result<void> Document::read(const std::string& key, bool& into) {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_boolean()) return wrong(key, "must be true or false");
  into = value->get<bool>();
  return {};
}

Result<void> Document::read(const std::string& key, std::int64_t least, std::int64_t most, std::int64_t& into) {
  const auto* value = find(key);
  if (value == nullptr) return {};
  const bool fits =
      value->is_number_integer() && (!value->is_number_unsigned() || value->get<std::uint64_t>() <= INT64_MAX);
  if (!fits || value->get<std::int64_t>() < least || value->get<std::int64_t>() > most)
    return wrong(key, fmt::format("must be a whole number from {} to {}", least, most));
  into = value->get<std::int64_t>();
  return {};
}

Result<void> Document::read(const std::string& key, std::vector<std::string>& into) {
  const auto* value = find(key);
  if (value == nullptr) return {};
  const auto list = value->is_string() ? Json::array({*value}) : *value;
  if (!list.is_array() || list.size() > kMaxItems)
    return wrong(key, fmt::format("must be a list of at most {} texts", kMaxItems));
  std::vector<std::string> texts;
  for (const auto& item : list) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > kMaxTextBytes)
      return wrong(key, "must be a list of texts");
    texts.push_back(item.get<std::string>());
  }
  into = std::move(texts);
  return {};
}

Result<void> Document::read(const std::string& key, std::map<std::string, std::string>& into) {
  const auto* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_object() || value->size() > kMaxItems) return wrong(key, "must be an object whose members are texts");
  std::map<std::string, std::string> texts;
  for (const auto& [name, text] : value->items()) {
    if (!text.is_string() || text.get_ref<const std::string&>().size() > kMaxTextBytes)
      return wrong(key + "." + printable(name, 64), "must be a text");
    texts.emplace(name, text.get<std::string>());
  }
  into = std::move(texts);
  return {};
}

Result<Document> Document::object(const std::string& key) {
  const auto* value = find(key);
  if (value == nullptr) return Document(kEmptyObject, place_of(key));
  if (!value->is_object()) return wrong(key, "must be an object");
  return Document(*value, place_of(key));
}

Result<std::vector<Document>> Document::objects(const std::string& key) {
  std::vector<Document> all;
  const auto* value = find(key);
  if (value == nullptr) return all;
  if (!value->is_array() || value->size() > kMaxItems) return wrong(key, "must be a list of objects");
  for (std::size_t i = 0; i < value->size(); ++i) {
    if (!(*value)[i].is_object()) return wrong(fmt::format("{}[{}]", key, i), "must be an object");
    all.emplace_back((*value)[i], fmt::format("{}[{}]", place_of(key), i));
  }
  return all;
}

Result<Document> document_of(const Call& call) {
  if (!call.body().is_object()) return Error(ErrorKind::kInvalid, "a JSON object is expected");
  return Document(call.body(), "");
}

Result<void> Document::finish() const {
  for (const auto& [name, value] : object_.items())
    if (!known_.contains(name)) return wrong(printable(name, 64), "there is no such member");
  return {};
}

}  // namespace wherry::api
