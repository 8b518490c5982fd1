#include "common/config/json_view.h"

#include <nlohmann/json.hpp>

#include "common/oci/excerpt.h"

namespace wherry {

using nlohmann::ordered_json;

const ordered_json& part_at(const ordered_json& object, const char* member) {
  static const ordered_json kNothing;
  if (!object.is_object()) return kNothing;
  const auto found = object.find(member);
  return found != object.end() ? *found : kNothing;
}

std::string text_at(const ordered_json& object, const char* member, std::size_t most) {
  const ordered_json& part = part_at(object, member);
  return part.is_string() ? printable(part.get_ref<const std::string&>(), most) : std::string();
}

double number_at(const ordered_json& object, const char* member) {
  const ordered_json& part = part_at(object, member);
  return part.is_number() ? part.get<double>() : 0;
}

std::vector<const ordered_json*> objects_in(const ordered_json& list) {
  std::vector<const ordered_json*> objects;
  if (!list.is_array()) return objects;
  for (const ordered_json& each : list)
    if (each.is_object()) objects.push_back(&each);
  return objects;
}

}  // namespace wherry
