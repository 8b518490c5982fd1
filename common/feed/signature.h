// Signatures over the feed: the master's key, and what it signs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/feed/log.h"

struct evp_pkey_st;

namespace wherry::feed {

/// An Ed25519 public key. Source: RFC 8032.
class PublicKey {
 public:
  static constexpr std::size_t kRawBytes = 32;

  /// Errors: kInvalid when that is no key.
  static Result<PublicKey> from_raw(std::string_view raw);
  /// 64 hexadecimal digits, as to_hex() gives them.
  static Result<PublicKey> from_hex(std::string_view hex);

  const std::string& raw() const { return raw_; }
  std::string to_hex() const;
  /// The first eight bytes of the key's SHA-256: names it in what it signed.
  std::uint64_t id() const { return id_; }
  /// About 100 us.
  bool verify(std::string_view message, std::string_view signature) const;
  bool operator==(const PublicKey& other) const { return raw_ == other.raw_; }

 private:
  PublicKey() = default;
  std::string raw_;
  std::uint64_t id_ = 0;
  std::shared_ptr<evp_pkey_st> key_;
};

/// The private half.
class SigningKey {
 public:
  static constexpr std::size_t kSignatureBytes = 64;

  static SigningKey make();
  /// Reads a PEM file, or makes one (0600, synced) where there is none. Blocks. Errors: kInvalid for a file that holds
  /// no Ed25519 key or that others may read, kIo.
  static Result<SigningKey> load_or_make(const std::string& path);

  const PublicKey& public_key() const { return public_key_; }
  /// About 40 us.
  std::string sign(std::string_view message) const;
  /// Writes it as PEM in the place of what is there. Blocks.
  Result<void> save(const std::string& path) const;

 private:
  SigningKey(std::shared_ptr<evp_pkey_st> key, PublicKey public_key)
      : key_(std::move(key)), public_key_(std::move(public_key)) {}
  static Result<SigningKey> of(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  PublicKey public_key_;
};

/// A key as it is announced: the key before it vouches for it, so that who trusts that one trusts this one too.
struct KeyRecord {
  std::string raw;
  std::uint64_t signer_id = 0;  ///< 0: nobody vouches for the first key
  std::string signature;

  static KeyRecord first(const PublicKey& key);
  static KeyRecord vouched(const PublicKey& key, const SigningKey& before);
  std::string encode() const;
  /// Errors: kInvalid for another form.
  static Result<KeyRecord> decode(std::string_view encoded);
};

/// Keys whose signatures count.
class TrustedKeys {
 public:
  static constexpr std::size_t kMost = 64;
  void add(PublicKey key);
  /// Adds the key if one that is trusted vouches for it, or if none is trusted yet and `first_contact` allows to trust
  /// the first that comes. False when it stays unknown.
  bool admit(const KeyRecord& record, bool first_contact = false);
  const std::vector<PublicKey>& all() const { return keys_; }
  bool empty() const { return keys_.empty(); }
  /// Null when it is not among them.
  const PublicKey* find(std::uint64_t id) const;

 private:
  std::vector<PublicKey> keys_;
};

/// The master's word: at `time` the feed ended at this position of this epoch, with this chain.
struct SignedHead {
  Head head;
  WallTime time{};
  std::uint64_t key_id = 0;
  std::string signature;

  static SignedHead sign(const Head& head, WallTime time, const SigningKey& key);
  std::string encode() const;
  /// Errors: kInvalid for another form. Says nothing of the signature.
  static Result<SignedHead> decode(std::string_view encoded);
  /// Errors: kInvalid when no trusted key made that signature.
  Result<void> verify(const TrustedKeys& keys) const;
};

/// The master's word: with the feed at this head, a project's names have this digest, and it is one of so many.
struct SignedProject {
  Head head;
  std::string project;
  Hash digest{};
  std::uint64_t of = 0;  ///< projects with a digest at that head, what is of no project among them
  std::uint64_t key_id = 0;
  std::string signature;

  static SignedProject sign(const Head& head, std::string project, const Hash& digest, std::uint64_t of,
                            const SigningKey& key);
  std::string encode() const;
  static Result<SignedProject> decode(std::string_view encoded);
  Result<void> verify(const TrustedKeys& keys) const;
};

/// The master's word on a large blob: cut into pieces as swarms cut it, the tree of them has this root. So whoever
/// shares it can check a piece before he passes it on, whoever told him what the pieces are.
struct SignedRoot {
  std::string blob;  ///< its digest, as text
  std::uint64_t size = 0;
  Hash root{};
  std::uint64_t key_id = 0;
  std::string signature;

  static SignedRoot sign(std::string blob, std::uint64_t size, const Hash& root, const SigningKey& key);
  /// The key's id and the signature: who reads it has the rest.
  std::string encode() const;
  /// Errors: kInvalid for another form.
  static Result<SignedRoot> decode(std::string blob, std::uint64_t size, const Hash& root, std::string_view encoded);
  /// Errors: kInvalid when no trusted key made that signature.
  Result<void> verify(const TrustedKeys& keys) const;
};

}  // namespace wherry::feed
