// ImageName: an image as people write it, and where a node has it.
#pragma once

#include <string>
#include <string_view>

#include "common/oci/reference.h"

namespace wherry::node {

/// "docker.io/library/alpine:3.20", "registry.example:5000/app@sha256:...", or a name of the parent's: "team/app"
/// (tag "latest").
class ImageName {
 public:
  /// Errors: kNameInvalid, naming the text.
  static Result<ImageName> parse(std::string_view text);

  /// As it was written.
  const std::string& text() const { return text_; }
  /// The repository at a node, the registry in front (a port's colon is "__" there).
  const RepositoryName& repository() const { return repository_; }
  const Reference& reference() const { return reference_; }

 private:
  ImageName(std::string_view text, RepositoryName repository, Reference reference)
      : text_(text), repository_(std::move(repository)), reference_(std::move(reference)) {}
  std::string text_;
  RepositoryName repository_;
  Reference reference_;
};

}  // namespace wherry::node
