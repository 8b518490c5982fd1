// Names: accepted is exactly what an independent reading of the grammar accepts, and comes back as it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/oci/reference.h"

namespace {

/// One part of a name, judged from its separators: every run of non-alphanumerics is an allowed one, and inside.
bool is_component(std::string_view part) {
  constexpr std::string_view kWord = "abcdefghijklmnopqrstuvwxyz0123456789";
  if (part.empty() || kWord.find(part.front()) == std::string_view::npos ||
      kWord.find(part.back()) == std::string_view::npos)
    return false;
  for (std::size_t at = part.find_first_not_of(kWord); at != std::string_view::npos;
       at = part.find_first_not_of(kWord, at)) {
    const std::size_t end = part.find_first_of(kWord, at);
    const std::string run(part.substr(at, end - at));
    if (run != "." && run != "_" && run != "__" && run != std::string(run.size(), '-')) return false;
    at = end;
  }
  return true;
}

bool is_name(std::string_view name) {
  if (name.size() > 255) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    if (!is_component(name.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

bool is_tag(std::string_view tag) {
  constexpr std::string_view kStart = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  return !tag.empty() && tag.size() <= 128 && kStart.find(tag[0]) != std::string_view::npos &&
         tag.find_first_not_of(std::string(kStart) + ".-") == std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  const auto name = wherry::RepositoryName::parse(text);
  WHERRY_CHECK(name.has_value() == is_name(text));
  if (name) WHERRY_CHECK(name->text() == text && text.find("..") == std::string_view::npos);

  const auto tag = wherry::Tag::parse(text);
  WHERRY_CHECK(tag.has_value() == is_tag(text));
  if (tag) WHERRY_CHECK(tag->text() == text);

  const auto reference = wherry::Reference::parse(text);
  if (reference) {
    WHERRY_CHECK(reference->to_string() == text);
    WHERRY_CHECK((reference->tag() != nullptr) != (reference->digest() != nullptr));
    const auto again = wherry::Reference::parse(reference->to_string());
    WHERRY_CHECK(again && *again == *reference);
  } else {
    WHERRY_CHECK(!tag && reference.error().message().size() < 250);
  }
  return 0;
}
