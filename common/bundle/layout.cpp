#include "common/bundle/layout.h"

#include <fmt/format.h>

namespace wherry::bundle {
namespace {

constexpr std::string_view kBlobsFolder = "blobs/";

std::string text_of(const std::optional<Digest>& digest) { return digest ? digest->to_string() : std::string(); }

}  // namespace

std::string Facts::to_json() const {
  return fmt::format(
      "{{\"version\":1,\"since\":{},\"position\":{},\"epoch\":{},\"names\":\"{}\",\"manifests\":\"{}\",\"index\":\"{}"
      "\"}}\n",
      since, position, epoch, text_of(names), text_of(manifests), text_of(index));
}

std::string blob_file(const Digest& digest) {
  return fmt::format("{}{}/{}", kBlobsFolder, digest.algorithm_name(), digest.hex());
}

std::optional<Digest> digest_of_blob_file(std::string_view name) {
  if (!name.starts_with(kBlobsFolder)) return std::nullopt;
  std::string text(name.substr(kBlobsFolder.size()));
  const auto slash = text.find('/');
  if (slash == std::string::npos) return std::nullopt;
  text[slash] = ':';
  const auto digest = Digest::parse(text);
  if (!digest) return std::nullopt;
  return *digest;
}

}  // namespace wherry::bundle
