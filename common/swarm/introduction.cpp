#include "common/swarm/introduction.h"

#include <nlohmann/json.hpp>

#include "common/base/base64.h"

namespace wherry::swarm {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostPeers = 64;
constexpr std::size_t kMostPeerBytes = 64;

bool is_flat(int depth, Json::parse_event_t, Json&) { return depth <= 4; }

}  // namespace

std::string Introduction::encode() const {
  const Json document = {{"torrent", to_base64(torrent.encode())},
                         {"voucher", to_base64(torrent.voucher())},
                         {"swarm", name},
                         {"repository", repository},
                         {"authority", authority_pem},
                         {"certificate", certificate_pem},
                         {"member", member},
                         {"peers", peers}};
  return document.dump();
}

Result<Introduction> Introduction::decode(const Digest& blob, std::string_view text) {
  const Error bad(ErrorKind::kUpstream, "the parent's introduction to the swarm of {} cannot be read",
                  blob.to_string());
  const Json document = Json::parse(text, is_flat, false);
  if (!document.is_object()) return bad;
  const auto text_of = [&](const char* key) {
    const auto found = document.find(key);
    return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto bytes = from_base64(text_of("torrent"));
  if (!bytes) return bad;
  auto torrent = Torrent::decode(blob, *bytes);
  if (!torrent) return bad;
  const auto voucher = from_base64(text_of("voucher"));
  if (!voucher || voucher->size() > Torrent::kMostVoucherBytes) return bad;
  if (!voucher->empty()) torrent = torrent->vouched_by(*voucher);
  Introduction read{.torrent = std::move(*torrent),
                    .name = text_of("swarm"),
                    .repository = text_of("repository"),
                    .authority_pem = text_of("authority"),
                    .certificate_pem = text_of("certificate"),
                    .member = text_of("member"),
                    .peers = {}};
  if (read.name.empty() || read.authority_pem.empty() || read.certificate_pem.empty() || read.member.empty())
    return bad;
  if (!read.repository.empty() && !RepositoryName::parse(read.repository)) return bad;
  const auto peers = document.find("peers");
  if (peers == document.end() || !peers->is_array() || peers->size() > kMostPeers) return bad;
  for (const Json& peer : *peers) {
    if (!peer.is_string() || peer.get_ref<const std::string&>().size() > kMostPeerBytes) return bad;
    read.peers.push_back(peer.get<std::string>());
  }
  return read;
}

}  // namespace wherry::swarm
