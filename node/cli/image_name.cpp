#include "node/cli/image_name.h"

#include "common/oci/excerpt.h"
#include "node/upstream/options.h"

namespace wherry::node {

Result<ImageName> ImageName::parse(std::string_view text) {
  constexpr std::size_t kShown = 100;
  const auto wrong = [&](const Error& why) {
    return Error(ErrorKind::kNameInvalid, "'{}' is not the name of an image: {}", printable(text, kShown),
                 printable(why.message(), kShown));
  };
  std::string name(text);
  std::string rest = "latest";
  if (const auto at = name.find('@'); at != std::string::npos) {
    rest = name.substr(at + 1);
    name.resize(at);
    // NAME:TAG@DIGEST: the digest says all.
    if (const auto colon = name.rfind(':');
        colon != std::string::npos && name.find('/', colon) == std::string::npos && name.find('/') != std::string::npos)
      name.resize(colon);
    if (rest.find(':') == std::string::npos) return wrong(Error(ErrorKind::kInvalid, "after the @ stands no digest"));
  } else if (const auto colon = name.rfind(':');
             colon != std::string::npos && name.find('/', colon) == std::string::npos) {
    rest = name.substr(colon + 1);
    name.resize(colon);
  }
  if (const auto slash = name.find('/'); slash != std::string::npos)
    name = prefix_of(name.substr(0, slash)) + name.substr(slash);
  auto repository = RepositoryName::parse(name);
  if (!repository) return wrong(repository.error());
  auto reference = Reference::parse(rest);
  if (!reference) return wrong(reference.error());
  return ImageName(text, std::move(*repository), std::move(*reference));
}

}  // namespace wherry::node
