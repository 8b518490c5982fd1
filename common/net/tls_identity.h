// TlsIdentity: what one TLS listener shows its clients and asks of them; read anew when its files change.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/base/error.h"

struct ssl_ctx_st;

namespace wherry {

/// The files of one listener, PEM all of them, and the oldest version that it speaks.
struct TlsFiles {
  enum class Version : std::uint8_t { k1_2, k1_3 };

  std::string certificate;  ///< The server's certificate, then those of the authorities between it and the root.
  std::string key;          ///< Its private key, not encrypted; may be in the same file.
  std::string client_ca;    ///< Clients must show a certificate of one of these authorities; empty: none is asked for.
  Version oldest = Version::k1_2;
  bool kernel = true;  ///< Have the kernel encrypt, where it can.

  bool empty() const { return certificate.empty(); }
};

/// Certificate, key and rules of one listener. Each listener has its own: sessions of one are not taken up at another,
/// nor those from before its files changed (nginx CVE-2025-23419 is what happens otherwise). Any thread.
class TlsIdentity {
 public:
  /// Reads the files. Errors: kInvalid, naming the file and what is wrong with it.
  static Result<std::shared_ptr<TlsIdentity>> load(TlsFiles files);

  /// What a connection that begins now is served with. It stays what it is for as long as that connection lives.
  std::shared_ptr<ssl_ctx_st> context() const { return context_.load(std::memory_order_acquire); }

  enum class Reading : std::uint8_t { kIfChanged, kAlways };
  /// Reads the files anew; true when they are in use now. What was in use stays so if they are wrong. Blocks on the
  /// disk; one caller at a time. Errors: those of load().
  Result<bool> reload(Reading reading);

  /// When the certificate ends to be valid.
  std::chrono::system_clock::time_point not_after() const {
    return std::chrono::system_clock::from_time_t(not_after_.load(std::memory_order_relaxed));
  }
  const TlsFiles& files() const { return files_; }

 private:
  /// What tells one state of a file from another.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t changed_ns = 0;
    std::int64_t bytes = 0;
    bool operator==(const Stamp&) const = default;
  };
  using Stamps = std::array<Stamp, 3>;

  explicit TlsIdentity(TlsFiles files) : files_(std::move(files)) {}
  Stamps stamps() const;
  Result<void> read();

  TlsFiles files_;
  Stamps read_{};
  std::atomic<std::shared_ptr<ssl_ctx_st>> context_;
  std::atomic<std::time_t> not_after_{0};
};

}  // namespace wherry
