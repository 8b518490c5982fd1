#include "common/feed/signature.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/files.h"

namespace wherry::feed {
namespace {

constexpr std::size_t kMaxKeyFileBytes = 8 * 1024;
// What is signed begins with what it is, so that no signature can be shown for another thing.
constexpr std::string_view kHeadWords = "wherry feed head 1\n";
constexpr std::string_view kProjectWords = "wherry feed project 2\n";
constexpr std::string_view kRootWords = "wherry swarm root 1\n";
constexpr std::string_view kKeyWords = "wherry feed key 1\n";

struct Free {
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  void operator()(BIO* bio) const { ::BIO_free(bio); }
};

std::string head_words(const Head& head) {
  std::string out;
  append_be64(out, head.epoch);
  append_be64(out, head.position);
  return out.append(as_text(head.chain));
}

std::optional<Head> take_head(std::string_view& in) {
  const auto epoch = take_be64(in);
  const auto position = take_be64(in);
  if (!epoch || !position || in.size() < sizeof(Hash)) return std::nullopt;
  Head head{*position, *epoch, to_hash(in)};
  in.remove_prefix(sizeof(Hash));
  return head;
}

Error invalid_form(std::string_view what) { return Error(ErrorKind::kInvalid, "{} is not in its form", what); }

Result<void> check(const TrustedKeys& keys, std::uint64_t key_id, std::string_view message,
                   std::string_view signature) {
  const PublicKey* key = keys.find(key_id);
  if (key == nullptr) return Error(ErrorKind::kInvalid, "it is signed by a key that is not trusted here");
  if (!key->verify(message, signature)) return Error(ErrorKind::kInvalid, "its signature is wrong");
  return {};
}

/// The end that all signed records have: the key's id and the signature. False when that is not all that is left.
bool take_signature(std::string_view in, std::uint64_t& key_id, std::string& signature) {
  const auto id = take_be64(in);
  if (!id || in.size() != SigningKey::kSignatureBytes) return false;
  key_id = *id;
  signature = in;
  return true;
}

}  // namespace

Result<PublicKey> PublicKey::from_raw(std::string_view raw) {
  PublicKey key;
  if (raw.size() == kRawBytes)
    key.key_ = {::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                              reinterpret_cast<const unsigned char*>(raw.data()), raw.size()),
                ::EVP_PKEY_free};
  if (!key.key_) return invalid_form("the feed's public key");
  key.raw_ = raw;
  const Hash hash = hash_of(raw);
  std::string_view start = as_text(hash);
  key.id_ = *take_be64(start);
  return key;
}

Result<PublicKey> PublicKey::from_hex(std::string_view hex) {
  const auto raw = wherry::from_hex(hex);
  if (!raw) return invalid_form("the feed's public key");
  return from_raw(*raw);
}

std::string PublicKey::to_hex() const { return wherry::to_hex(as_bytes(raw_)); }

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  const std::unique_ptr<EVP_MD_CTX, Free> context(::EVP_MD_CTX_new());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
         ::EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                            reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

Result<SigningKey> SigningKey::of(std::shared_ptr<evp_pkey_st> key) {
  std::string raw(PublicKey::kRawBytes, '\0');
  std::size_t size = raw.size();
  if (!key || ::EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519 ||
      ::EVP_PKEY_get_raw_public_key(key.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) != 1)
    return Error(ErrorKind::kInvalid, "it holds no Ed25519 private key in PEM form");
  auto public_key = PublicKey::from_raw(raw);
  if (!public_key) return public_key.error();
  return SigningKey(std::move(key), std::move(*public_key));
}

SigningKey SigningKey::make() {
  auto key = of({::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), ::EVP_PKEY_free});
  WHERRY_CHECK(key.has_value());
  return std::move(*key);
}

Result<SigningKey> SigningKey::load_or_make(const std::string& path) {
  auto pem = read_small_file(path, kMaxKeyFileBytes);
  if (!pem && pem.error().kind() == ErrorKind::kNotFound) {
    SigningKey made = make();
    auto saved = made.save(path);
    if (!saved) return saved.error();
    return made;
  }
  if (!pem) return pem.error();
  struct stat facts{};
  if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0)
    return Error(ErrorKind::kInvalid, "{}: others may read this private key; chmod 600 it, and think of replacing it",
                 path);
  const std::unique_ptr<BIO, Free> bio(::BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())));
  auto key = of({::PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), ::EVP_PKEY_free});
  if (!key) return Error(ErrorKind::kInvalid, "{}: {}", path, key.error().message());
  return key;
}

Result<void> SigningKey::save(const std::string& path) const {
  const std::unique_ptr<BIO, Free> bio(::BIO_new(::BIO_s_mem()));
  WHERRY_CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  char* pem = nullptr;
  const long size = ::BIO_get_mem_data(bio.get(), &pem);
  return replace_secret_file(path, {pem, static_cast<std::size_t>(size)});
}

std::string SigningKey::sign(std::string_view message) const {
  const std::unique_ptr<EVP_MD_CTX, Free> context(::EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  const bool made = ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                    ::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                                     reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
  WHERRY_CHECK(made && size == kSignatureBytes);
  return signature;
}

KeyRecord KeyRecord::first(const PublicKey& key) {
  return {key.raw(), 0, std::string(SigningKey::kSignatureBytes, '\0')};
}

KeyRecord KeyRecord::vouched(const PublicKey& key, const SigningKey& before) {
  return {key.raw(), before.public_key().id(), before.sign(std::string(kKeyWords) + key.raw())};
}

std::string KeyRecord::encode() const {
  std::string out = raw;
  append_be64(out, signer_id);
  return out.append(signature);
}

Result<KeyRecord> KeyRecord::decode(std::string_view encoded) {
  KeyRecord record;
  if (encoded.size() < PublicKey::kRawBytes) return invalid_form("a key of the feed");
  record.raw = encoded.substr(0, PublicKey::kRawBytes);
  if (!take_signature(encoded.substr(PublicKey::kRawBytes), record.signer_id, record.signature))
    return invalid_form("a key of the feed");
  return record;
}

void TrustedKeys::add(PublicKey key) {
  if (find(key.id()) == nullptr && keys_.size() < kMost) keys_.push_back(std::move(key));
}

bool TrustedKeys::admit(const KeyRecord& record, bool first_contact) {
  auto key = PublicKey::from_raw(record.raw);
  if (!key) return false;
  if (find(key->id()) != nullptr) return true;
  if (keys_.size() >= kMost) return false;
  const PublicKey* signer = find(record.signer_id);
  const bool vouched = signer != nullptr && signer->verify(std::string(kKeyWords) + record.raw, record.signature);
  if (!vouched && !(first_contact && keys_.empty())) return false;
  keys_.push_back(std::move(*key));
  return true;
}

const PublicKey* TrustedKeys::find(std::uint64_t id) const {
  const auto found = std::ranges::find(keys_, id, &PublicKey::id);
  return found == keys_.end() ? nullptr : &*found;
}

namespace {

std::string words_of(const SignedHead& signed_head) {
  std::string words(kHeadWords);
  words += head_words(signed_head.head);
  append_be64(words, static_cast<std::uint64_t>(to_millis(signed_head.time)));
  return words;
}

std::string words_of(const SignedProject& signed_project) {
  std::string words(kProjectWords);
  words += head_words(signed_project.head);
  append_text(words, signed_project.project);
  words += as_text(signed_project.digest);
  append_be64(words, signed_project.of);
  return words;
}

std::string words_of(const SignedRoot& signed_root) {
  std::string words(kRootWords);
  append_text(words, signed_root.blob);
  append_be64(words, signed_root.size);
  return words.append(as_text(signed_root.root));
}

}  // namespace

SignedHead SignedHead::sign(const Head& head, WallTime time, const SigningKey& key) {
  SignedHead made{head, time, key.public_key().id(), {}};
  made.signature = key.sign(words_of(made));
  return made;
}

std::string SignedHead::encode() const {
  std::string out = head_words(head);
  append_be64(out, static_cast<std::uint64_t>(to_millis(time)));
  append_be64(out, key_id);
  return out.append(signature);
}

Result<SignedHead> SignedHead::decode(std::string_view encoded) {
  SignedHead read;
  const auto head = take_head(encoded);
  const auto millis = take_be64(encoded);
  if (!head || head->epoch == 0 || !millis || !take_signature(encoded, read.key_id, read.signature))
    return invalid_form("a head of the feed");
  read.head = *head;
  read.time = from_millis(static_cast<std::int64_t>(*millis));
  return read;
}

Result<void> SignedHead::verify(const TrustedKeys& keys) const {
  return check(keys, key_id, words_of(*this), signature);
}

SignedProject SignedProject::sign(const Head& head, std::string project, const Hash& digest, std::uint64_t of,
                                  const SigningKey& key) {
  SignedProject made{head, std::move(project), digest, of, key.public_key().id(), {}};
  made.signature = key.sign(words_of(made));
  return made;
}

std::string SignedProject::encode() const {
  std::string out = head_words(head);
  append_text(out, project);
  out += as_text(digest);
  append_be64(out, of);
  append_be64(out, key_id);
  return out.append(signature);
}

Result<SignedProject> SignedProject::decode(std::string_view encoded) {
  SignedProject read;
  const auto head = take_head(encoded);
  const auto project = take_text(encoded);
  if (!head || !project || encoded.size() < sizeof(Hash)) return invalid_form("a project's digest");
  read.head = *head;
  read.project = *project;
  read.digest = to_hash(encoded);
  encoded.remove_prefix(sizeof(Hash));
  const auto of = take_be64(encoded);
  if (!of || !take_signature(encoded, read.key_id, read.signature)) return invalid_form("a project's digest");
  read.of = *of;
  return read;
}

Result<void> SignedProject::verify(const TrustedKeys& keys) const {
  return check(keys, key_id, words_of(*this), signature);
}

SignedRoot SignedRoot::sign(std::string blob, std::uint64_t size, const Hash& root, const SigningKey& key) {
  SignedRoot made{std::move(blob), size, root, key.public_key().id(), {}};
  made.signature = key.sign(words_of(made));
  return made;
}

std::string SignedRoot::encode() const {
  std::string out;
  append_be64(out, key_id);
  return out.append(signature);
}

Result<SignedRoot> SignedRoot::decode(std::string blob, std::uint64_t size, const Hash& root,
                                      std::string_view encoded) {
  SignedRoot read{std::move(blob), size, root, 0, {}};
  if (!take_signature(encoded, read.key_id, read.signature))
    return invalid_form("the master's word on a blob's pieces");
  return read;
}

Result<void> SignedRoot::verify(const TrustedKeys& keys) const {
  return check(keys, key_id, words_of(*this), signature);
}

}  // namespace wherry::feed
