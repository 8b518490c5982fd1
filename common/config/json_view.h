// Another program's JSON as a terminal shows it: what is missing or of another kind is shown as nothing. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace wherry {

inline constexpr std::size_t kShownBytes = 60;        ///< of one text
inline constexpr std::size_t kShortDigestBytes = 19;  ///< "sha256:" and twelve digits

/// That member's text, cut after `most` bytes, with nothing in it that a terminal would obey; empty when there is none.
std::string text_at(const nlohmann::ordered_json& object, const char* member, std::size_t most = kShownBytes);
/// 0 when there is none.
double number_at(const nlohmann::ordered_json& object, const char* member);
/// Null when there is none. Lives as long as `object`.
const nlohmann::ordered_json& part_at(const nlohmann::ordered_json& object, const char* member);
/// The objects of a list; none when that is no list. Live as long as `list`.
std::vector<const nlohmann::ordered_json*> objects_in(const nlohmann::ordered_json& list);

}  // namespace wherry
