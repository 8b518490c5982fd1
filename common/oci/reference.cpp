#include "common/oci/reference.h"

#include "common/oci/excerpt.h"

namespace wherry {
namespace {

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_tag_start(char c) { return is_lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_separator(char c) { return c == '.' || c == '_' || c == '-'; }

/// A run of separators between two alphanumerics: one '.', one or two '_', or any number of '-'.
bool is_separator_run(std::string_view run) {
  return run == "." || run == "_" || run == "__" || run.find_first_not_of('-') == std::string_view::npos;
}

Error bad_name(std::string_view name, std::size_t position, std::string_view what) {
  return Error(ErrorKind::kNameInvalid, "repository name {}, byte {}: {}", excerpt(name), position, what);
}

}  // namespace

Result<RepositoryName> RepositoryName::parse(std::string_view text) {
  if (text.empty()) return Error(ErrorKind::kNameInvalid, "repository name is empty");
  if (text.size() > kMaxRepositoryNameBytes)
    return Error(ErrorKind::kNameInvalid, "repository name {} has {} bytes; at most {} are allowed", excerpt(text),
                 text.size(), kMaxRepositoryNameBytes);
  std::size_t i = 0;
  while (true) {
    const std::size_t word = i;
    while (i < text.size() && is_lower_alnum(text[i])) ++i;
    if (i == word) return bad_name(text, i, "a part starts, ends and goes on after a separator with a-z or 0-9");
    if (i == text.size()) return RepositoryName(text);
    if (text[i] == '/') {
      ++i;
      continue;
    }
    const std::size_t run = i;
    while (i < text.size() && is_separator(text[i])) ++i;
    if (i == run) return bad_name(text, i, "only a-z, 0-9 and the separators . _ - / are allowed");
    if (!is_separator_run(text.substr(run, i - run)))
      return bad_name(text, run, "words are separated by one '.', one or two '_', or any number of '-'");
  }
}

Result<Tag> Tag::parse(std::string_view text) {
  if (text.empty()) return Error(ErrorKind::kNameInvalid, "tag is empty");
  if (text.size() > kMaxTagBytes)
    return Error(ErrorKind::kNameInvalid, "tag {} has {} bytes; at most {} are allowed", excerpt(text), text.size(),
                 kMaxTagBytes);
  if (!is_tag_start(text[0]))
    return Error(ErrorKind::kNameInvalid, "tag {} must start with a letter, a digit or '_'", excerpt(text));
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (!is_tag_start(text[i]) && !is_separator(text[i]))
      return Error(ErrorKind::kNameInvalid, "tag {}, byte {}: only letters, digits and . _ - are allowed",
                   excerpt(text), i);
  }
  return Tag(text);
}

Result<Reference> Reference::parse(std::string_view text) {
  if (text.find(':') != std::string_view::npos) {
    const auto digest = Digest::parse(text);
    if (!digest) return digest.error();
    return Reference(*digest);
  }
  auto tag = Tag::parse(text);
  if (!tag) return tag.error();
  return Reference(std::move(*tag));
}

}  // namespace wherry
