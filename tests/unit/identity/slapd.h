// A real directory of a test's own: slapd on loopback ports, with its files in a folder that goes with it.
#pragma once

#include <sys/types.h>

#include <string>

#include "tests/unit/identity/local_port.h"
#include "tests/unit/support/certificate.h"
#include "tests/unit/support/temp_dir.h"

namespace wherry::testing {

/// People below ou=people,dc=example,dc=org and groups below ou=groups, as content.cpp has them. Binding with a name
/// and no password succeeds, as servers are often set up.
class Slapd {
 public:
  static constexpr char kReader[] = "cn=reader,dc=example,dc=org";
  static constexpr char kReaderPassword[] = "reader-secret";

  struct Options {
    bool tls = true;
    std::string ciphers = "NORMAL";
    int elsewhere_port = 9;  ///< where the referral in it points to
  };

  static bool installed();

  Slapd() : Slapd(Options()) {}
  explicit Slapd(const Options& options);
  ~Slapd() { kill(); }
  Slapd(const Slapd&) = delete;
  Slapd& operator=(const Slapd&) = delete;

  /// At the same ports as before; returns when it takes connections.
  void start();
  /// kill -9
  void kill();

  int port() const { return port_.number(); }
  std::string url(const std::string& host = "127.0.0.1") const;
  std::string ldaps_url(const std::string& host = "127.0.0.1") const;
  std::string ca_file() const { return dir_ / "ca.pem"; }
  /// Vouches for nobody here.
  std::string other_ca_file() const { return dir_ / "other-ca.pem"; }
  std::string reader_password_file() const { return dir_ / "reader-password"; }

 private:
  void write_files(const Options& options);
  bool answers() const;

  TempDir dir_;
  LocalPort port_;
  LocalPort tls_port_;
  pid_t process_ = -1;
};

/// What the directory holds, as LDIF.
std::string directory_content(int elsewhere_port);

}  // namespace wherry::testing
