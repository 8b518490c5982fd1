#include "common/oci/descriptor.h"

#include <fmt/format.h>

#include <string_view>

#include "common/base/json.h"

namespace wherry {
namespace {

/// Writes `"name":"value"` behind a comma unless it is the first member; nothing for an empty value.
void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, name);
  out.push_back(':');
  append_json_string(out, value);
}

}  // namespace

std::string Descriptor::to_json() const {
  std::string out = "{\"mediaType\":";
  append_json_string(out, media_type);
  fmt::format_to(std::back_inserter(out), ",\"digest\":\"{}\",\"size\":{}", digest.to_string(), size);
  append_member(out, "artifactType", artifact_type);
  if (!urls.empty()) {
    out.append(",\"urls\":[");
    for (const std::string& url : urls) {
      if (out.back() != '[') out.push_back(',');
      append_json_string(out, url);
    }
    out.push_back(']');
  }
  if (!annotations.empty()) {
    out.append(",\"annotations\":{");
    for (const auto& [key, value] : annotations) {
      if (out.back() != '{') out.push_back(',');
      append_json_string(out, key);
      out.push_back(':');
      append_json_string(out, value);
    }
    out.push_back('}');
  }
  if (platform) {
    out.append(",\"platform\":{");
    append_member(out, "architecture", platform->architecture);
    append_member(out, "os", platform->os);
    append_member(out, "variant", platform->variant);
    out.push_back('}');
  }
  out.push_back('}');
  return out;
}

}  // namespace wherry
