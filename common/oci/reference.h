// Names of repositories and tags, and the <reference> part of a manifest's URL: the strict grammar, at every boundary.
#pragma once

#include <compare>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/error.h"
#include "common/oci/digest.h"

namespace wherry {

/// Clients put host, port and name into 255 bytes, so a longer name could not be pulled (distribution-spec, "Pulling").
inline constexpr std::size_t kMaxRepositoryNameBytes = 255;
inline constexpr std::size_t kMaxTagBytes = 128;

/// The name of a repository, e.g. "library/alpine". Holds no "..", no empty part, no '%' and no upper case, so it is
/// safe as part of a URL.
class RepositoryName {
 public:
  /// One pass, one copy. Errors: kNameInvalid, saying what is wrong and where. Source: distribution-spec 1.1.1,
  /// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*
  static Result<RepositoryName> parse(std::string_view text);

  const std::string& text() const { return text_; }
  friend bool operator==(const RepositoryName&, const RepositoryName&) = default;
  friend std::strong_ordering operator<=>(const RepositoryName&, const RepositoryName&) = default;

 private:
  explicit RepositoryName(std::string_view text) : text_(text) {}
  std::string text_;
};

/// A tag, e.g. "3.20" or "sha256-9f86....sig".
class Tag {
 public:
  /// One pass, one copy. Errors: kNameInvalid. Source: distribution-spec 1.1.1, [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}
  static Result<Tag> parse(std::string_view text);

  const std::string& text() const { return text_; }
  friend bool operator==(const Tag&, const Tag&) = default;
  friend std::strong_ordering operator<=>(const Tag&, const Tag&) = default;

 private:
  explicit Tag(std::string_view text) : text_(text) {}
  std::string text_;
};

/// What names a manifest within a repository: a tag or a digest.
class Reference {
 public:
  /// A text with a ':' is read as a digest, any other as a tag. Errors: kDigestInvalid, kNameInvalid.
  static Result<Reference> parse(std::string_view text);

  explicit Reference(Tag tag) : value_(std::move(tag)) {}
  explicit Reference(const Digest& digest) : value_(digest) {}

  /// The one that it is; nullptr for the other. Points into this object.
  const Tag* tag() const { return std::get_if<Tag>(&value_); }
  const Digest* digest() const { return std::get_if<Digest>(&value_); }

  /// The text form: the inverse of parse().
  std::string to_string() const { return tag() ? tag()->text() : digest()->to_string(); }

  friend bool operator==(const Reference&, const Reference&) = default;

 private:
  std::variant<Tag, Digest> value_;
};

}  // namespace wherry
