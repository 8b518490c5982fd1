#include "master/audit/document.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace wherry::audit {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 5> kSecretWords = {"password", "secret", "token", "privatekey", "authorization"};
constexpr std::string_view kHidden = "***";

/// "https://who:password@host" -> "https://***@host", wherever in the text.
std::string without_url_secrets(std::string text) {
  std::size_t from = 0;
  while ((from = text.find("://", from)) != std::string::npos) {
    from += 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\r\n\"", from), text.size());
    const std::size_t at = text.rfind('@', end);
    if (at == std::string::npos || at < from || at >= end) continue;
    text.replace(from, at - from, kHidden);
  }
  return text;
}

Json without_secrets(const Json& value, std::size_t depth) {
  if (value.is_string()) return without_url_secrets(value.get<std::string>());
  if (!value.is_structured()) return value;
  if (depth >= AuditDocument::kMaxDepth) return "(too deep)";
  if (value.is_array()) {
    Json items = Json::array();
    for (const Json& item : value) items.push_back(without_secrets(item, depth + 1));
    return items;
  }
  // emplace_back: ordered_json itself looks for each name among all before it.
  Json::object_t members;
  members.reserve(value.size());
  for (const auto& [name, member] : value.items())
    members.emplace_back(name, is_secret_name(name) ? Json(kHidden) : without_secrets(member, depth + 1));
  return Json(std::move(members));
}

std::string dumped(const Json& value) { return value.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

bool is_secret_name(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c == '_' || c == '-') continue;
    plain.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (plain.ends_with('s')) plain.pop_back();
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&plain](std::string_view word) { return plain.ends_with(word); });
}

AuditDocument::AuditDocument(const Json& document) {
  if (document.is_null()) return;
  json_ = dumped(without_secrets(document, 0));
  if (json_.size() <= kMaxBytes) return;
  // A text within a text: a quote or a backslash takes two bytes, nothing else more than it did; and a character that
  // is cut in its middle is replaced.
  constexpr std::size_t kBesides = 128;
  Json cut = Json::object();
  cut["cut_from_bytes"] = json_.size();
  cut["begin"] = json_.substr(0, (kMaxBytes - kBesides) / 2);
  json_ = dumped(cut);
}

}  // namespace wherry::audit
