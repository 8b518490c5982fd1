#include "common/swarm/session.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/auth/node_authority.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "tests/unit/support/run_task.h"
#include "tests/unit/support/temp_dir.h"
#include "tests/unit/swarm/some_bytes.h"

namespace wherry::swarm {
namespace {

using testing::read_file;
using testing::run_task;
using testing::some_bytes;
using testing::TempDir;

constexpr std::chrono::seconds kLongEnough{30};
constexpr std::chrono::seconds kStrangersTry{3};
constexpr std::string_view kSwarmName = "0123456789abcdef0123456789abcdef";

auth::NodeAuthority authority_in(const TempDir& folder, const std::string& name) {
  return *auth::NodeAuthority::load_or_make(folder / name);
}

/// What a node shows: a certificate of that authority for that swarm, as of `now`.
Credentials shown(const auth::NodeAuthority& issuer, const auth::NodeAuthority& authority, std::string_view certified,
                  WallTime now) {
  const auth::NodeKey key = auth::NodeKey::make();
  const std::string request = key.certificate_request("node");
  auto certificate = issuer.certify_member(request, std::string(certified), now, std::chrono::hours(1));
  return {.name = std::string(kSwarmName),
          .authority_pem = authority.certificate().pem(),
          .certificate_pem = certificate->pem(),
          .key_pem = key.pem()};
}

/// One node's session and its one blob.
struct Peer {
  Peer(const TempDir& folder, const std::string& name, std::string_view content, const Torrent& torrent,
       const Credentials& credentials, bool has_all, const std::vector<std::string>& peers)
      : file(folder / name), bell(Bell::make()) {
    std::ofstream(file, std::ios::binary) << (has_all ? content : std::string_view());
    SessionOptions options;
    options.listen = "127.0.0.1:0";
    auto started = Session::start(options);
    WHERRY_CHECK(started.has_value());
    session = std::move(*started);
    auto added = session->add(torrent, credentials, UniqueFd(::open(file.c_str(), O_RDWR | O_CLOEXEC)),
                              PieceSet(torrent.pieces(), has_all), peers, bell);
    WHERRY_CHECK(added.has_value());
    transfer = std::move(*added);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(session->port()); }

  const std::string file;
  const std::shared_ptr<Bell> bell;
  std::unique_ptr<Session> session;
  std::shared_ptr<Transfer> transfer;
};

/// Until it has all, or so long.
Task<bool> completes(Peer& peer, std::chrono::seconds within) {
  const Monotonic until = Clock::system().monotonic() + within;
  while (peer.transfer->count() < peer.transfer->torrent().pieces() && Clock::system().monotonic() < until)
    co_await peer.bell->wait(std::chrono::milliseconds(50));
  co_return peer.transfer->count() == peer.transfer->torrent().pieces();
}

Result<Torrent> torrent_of(const std::string& content, const std::string& file) {
  std::ofstream(file, std::ios::binary) << content;
  const UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<Sha256> roots;
  Hasher whole;
  auto hashed = Torrent::hash_some(opened.get(), content.size(), content.size(), roots, whole);
  if (!hashed) return hashed.error();
  return Torrent::make(Digest::of(DigestAlgorithm::kSha256, content), content.size(), std::move(roots));
}

Task<void> meet(const TempDir& folder) {
  const std::string content = some_bytes(500'000);  // the last piece and its last block are short
  const auto torrent = torrent_of(content, folder / "content");
  WHERRY_CHECK(torrent.has_value());
  const auth::NodeAuthority authority = authority_in(folder, "authority");
  const auth::NodeAuthority other = authority_in(folder, "other");
  const WallTime now = Clock::system().wall();
  const Credentials member = shown(authority, authority, kSwarmName, now);
  Peer seed(folder, "seed", content, *torrent, shown(authority, authority, kSwarmName, now), true, {});
  const std::vector<std::string> known = {seed.address()};

  Peer friendly(folder, "friendly", content, *torrent, member, false, known);
  const bool is_complete = co_await completes(friendly, kLongEnough);
  EXPECT_TRUE(is_complete);
  EXPECT_TRUE(read_file(friendly.file) == content);
  EXPECT_GE(friendly.transfer->received_bytes(), content.size());

  const std::uint64_t sent = seed.transfer->sent_bytes();
  Peer of_another_authority(folder, "a", content, *torrent, shown(other, authority, kSwarmName, now), false, known);
  Peer of_another_swarm(folder, "b", content, *torrent,
                        shown(authority, authority, "fedcba9876543210fedcba9876543210", now), false, known);
  Peer of_yesterday(folder, "c", content, *torrent,
                    shown(authority, authority, kSwarmName, now - std::chrono::hours(48)), false, known);
  for (Peer* stranger : {&of_another_authority, &of_another_swarm, &of_yesterday}) {
    const bool got_in = co_await completes(*stranger, kStrangersTry / 2);
    EXPECT_FALSE(got_in) << stranger->file;
  }
  for (Peer* stranger : {&of_another_authority, &of_another_swarm, &of_yesterday})
    EXPECT_EQ(stranger->transfer->received_bytes(), 0U) << stranger->file;
  EXPECT_EQ(seed.transfer->sent_bytes(), sent);
}

TEST(SwarmSession, WhoHasACertificateOfTheSwarmGetsAllAndNobodyElseAByte) {
  const TempDir folder;
  run_task(meet(folder));
}

Task<void> write_to_what_is_closed(const TempDir& folder) {
  const std::string content = some_bytes(500'000);
  const auto torrent = torrent_of(content, folder / "content");
  const auth::NodeAuthority authority = authority_in(folder, "authority");
  const WallTime now = Clock::system().wall();
  Peer node(folder, "node", content, *torrent, shown(authority, authority, kSwarmName, now), false, {});
  while (!node.transfer->is_ready()) co_await node.bell->wait(std::chrono::milliseconds(50));
  const auto piece = [&](std::uint32_t number) {
    const std::string bytes = content.substr(torrent->offset_of(number), torrent->bytes_of(number));
    return std::vector<char>(bytes.begin(), bytes.end());
  };
  node.transfer->give(1, piece(1));
  while (!node.transfer->has(1)) co_await node.bell->wait(std::chrono::milliseconds(50));
  // What is right stays, whatever is given for it.
  node.transfer->give(1, std::vector<char>(torrent->bytes_of(1), 'x'));
  node.transfer->give(2, std::vector<char>(torrent->bytes_of(2), 'x'));
  node.transfer->give(3, piece(3));
  while (!node.transfer->has(3)) co_await node.bell->wait(std::chrono::milliseconds(50));
  EXPECT_FALSE(node.transfer->has(2));
  node.transfer->stop_writing();
  const std::string before = read_file(node.file);
  node.transfer->give(0, piece(0));
  for (int i = 0; i < 10; ++i) co_await node.bell->wait(std::chrono::milliseconds(50));
  const std::string after = read_file(node.file);
  EXPECT_TRUE(before == after);
  EXPECT_TRUE(after.substr(torrent->offset_of(1), torrent->bytes_of(1)) ==
              content.substr(torrent->offset_of(1), torrent->bytes_of(1)));
}

TEST(SwarmSession, APieceThatIsRightAndAFileThatWasClosedAreNotWrittenTo) {
  const TempDir folder;
  run_task(write_to_what_is_closed(folder));
}

}  // namespace
}  // namespace wherry::swarm
