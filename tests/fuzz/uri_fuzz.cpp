// Percent escapes, queries, server URLs and JSON strings: what is written is read back, what is read was meant.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/base/json.h"
#include "common/http/place.h"
#include "common/http/uri.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wherry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  const std::string escaped = http::percent_encode(text);
  for (const char c : escaped) WHERRY_CHECK(c > 0x20 && c < 0x7f && c != '/' && c != '&' && c != '=' && c != '?');
  const auto back = http::percent_decode(escaped);
  WHERRY_CHECK(back.has_value() == (text.find('\0') == std::string_view::npos));
  if (back) WHERRY_CHECK(*back == text);
  if (const auto decoded = http::percent_decode(text)) {
    WHERRY_CHECK(decoded->size() + 2 * static_cast<std::size_t>(std::count(text.begin(), text.end(), '%')) ==
                 text.size());
    if (text.find('\0') == std::string_view::npos) WHERRY_CHECK(decoded->find('\0') == std::string::npos);
  }

  // A value put into a query is found there, whatever stands around it.
  const std::string query = "a=%31&" + std::string(text.substr(0, text.find("name"))) + "&name=" + escaped + "&name";
  const auto values = http::query_values(query, "name");
  WHERRY_CHECK(values.size() == (back ? 2U : 1U) && values.back().empty());
  if (back) WHERRY_CHECK(values.front() == text && http::query_value(query, "name") == text);
  for (const auto& value : http::query_values(text, "digest"))
    WHERRY_CHECK(value.size() <= text.size() &&
                 (value.find('\0') == std::string::npos || text.find('\0') != std::string_view::npos));

  const std::string url(text);
  if (http::is_server_url(url)) {
    WHERRY_CHECK(url.starts_with("http://") || url.starts_with("https://"));
    WHERRY_CHECK(std::none_of(url.begin(), url.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20; }));
  }

  const std::string json = json_string(text);
  const auto parsed = nlohmann::json::parse(json, nullptr, false);
  WHERRY_CHECK(parsed.is_string());
  if (parsed.get_ref<const std::string&>().find("\xef\xbf\xbd") == std::string::npos)
    WHERRY_CHECK(parsed.get_ref<const std::string&>() == text);
  return 0;
}
