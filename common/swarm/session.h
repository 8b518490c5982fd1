// Session: this node's part in all swarms, over libtorrent.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/async/bell.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/swarm/piece_set.h"
#include "common/swarm/torrent.h"

namespace wherry::swarm {

struct SessionOptions {
  std::string listen;                         ///< HOST:PORT; TLS alone is spoken there
  std::uint64_t upload_bytes_per_second = 0;  ///< to other nodes; 0: any
  std::uint64_t download_bytes_per_second = 0;
  int connections = 200;  ///< of all swarms together
  std::string site;       ///< what neighbours of another one have is not near
};

/// What lets a node into one swarm: nobody else gets a byte.
struct Credentials {
  std::string name;             ///< of the swarm: 32 hexadecimal digits, also in all of its certificates
  std::string authority_pem;    ///< who vouches for all in it
  std::string certificate_pem;  ///< this node's
  std::string key_pem;
};

/// One blob in the session. All calls from any thread; dropping it takes the blob out of the session.
class Transfer {
 public:
  static constexpr int kUploadSlots = 8;
  static constexpr int kMostPeers = 30;

  virtual ~Transfer() = default;

  virtual const Torrent& torrent() const = 0;
  virtual bool has(std::uint32_t piece) const = 0;
  virtual std::uint32_t count() const = 0;
  /// So long a neighbour is believed after each block that it gave, and a second more at most.
  static constexpr std::chrono::seconds kCredit{2};
  /// Whether a neighbour of this site says that it has it.
  virtual bool is_claimed(std::uint32_t piece) const = 0;
  /// The same of those who are believed.
  virtual bool is_near(std::uint32_t piece) const = 0;
  virtual std::uint32_t peers() const = 0;
  virtual std::uint64_t received_bytes() const = 0;
  virtual std::uint64_t sent_bytes() const = 0;
  /// Where its pieces lie, as long as this lives.
  virtual int file() const = 0;
  /// Why it cannot go on, if that is so: the disk.
  virtual std::optional<Error> failure() const = 0;

  /// One more neighbour, as HOST:PORT. Does nothing for what is no address.
  virtual void connect(const std::string& address) = 0;
  /// False for a moment at first; the bell rings when it is.
  virtual bool is_ready() const = 0;
  /// A piece that came in another way; once it is ready. It is checked as any other.
  virtual void give(std::uint32_t piece, std::vector<char> bytes) = 0;
  /// Neighbours are asked for that piece before others.
  virtual void hurry(std::uint32_t piece) = 0;
  /// Nothing is written to the file once this has returned. Blocks.
  virtual void stop_writing() = 0;
};

/// A libtorrent session with threads of its own: it listens for TLS alone, finds nobody by itself, and reads and writes
/// blobs where they are.
class Session {
 public:
  virtual ~Session() = default;  ///< Blocks.
  /// Blocks. Errors: kInvalid for an address that is none, kIo when it cannot be listened at.
  static Result<std::unique_ptr<Session>> start(const SessionOptions& options);

  /// `file` is read and written at the blob's own places; `have`: what is in it and right; `peers`: HOST:PORT each,
  /// what is none is left out. `bell` rings when a piece came, a neighbour has more, or it failed. Blocks for some 100
  /// us.
  virtual Result<std::shared_ptr<Transfer>> add(const Torrent& torrent, const Credentials& credentials, UniqueFd file,
                                                const PieceSet& have, const std::vector<std::string>& peers,
                                                std::shared_ptr<Bell> bell) = 0;
  /// Where it listens.
  virtual std::uint16_t port() const = 0;
  /// Neighbours that were shut out for what they sent.
  virtual std::uint64_t banned() = 0;
};

}  // namespace wherry::swarm
