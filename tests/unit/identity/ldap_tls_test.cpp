#include <openssl/ssl.h>

#include <chrono>
#include <string>

#include "tests/unit/identity/directory_fixture.h"

namespace wherry::master::ldap {
namespace {

using std::chrono::milliseconds;
using testing::BadServer;
using testing::kind_of;
using testing::run_all;
using testing::Slapd;

// An ExtendedResponse (RFC 4511, 4.12) to the first request: success, and protocolError.
const std::string kTlsGranted("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14);
const std::string kTlsRefused("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", 14);

class LdapTransport : public testing::DirectoryTest {
 protected:
  static void expect_unavailable(const LdapOptions& with, std::string_view reason) {
    const auto alice = login(with, "alice", "alice-secret");
    ASSERT_EQ(kind_of(alice), ErrorKind::kUnavailable);
    EXPECT_NE(alice.error().message().find(reason), std::string::npos) << alice.error().message();
    EXPECT_EQ(alice.error().message().find("secret"), std::string::npos) << alice.error().message();
  }
  /// Ends when its time is up and soon after, not before.
  static void expect_time_out(LdapOptions with, const std::string& url) {
    with.url = url;
    with.timeout = milliseconds(500);
    const auto start = std::chrono::steady_clock::now();
    expect_unavailable(with, "no answer in time");
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_GE(took, milliseconds(450));
    EXPECT_LT(took, milliseconds(3000));
  }
  static LdapOptions plain() {
    auto with = options();
    with.start_tls = false;
    with.insecure_plain = true;
    return with;
  }
  /// All that a server that grants or refuses TLS may have seen: the request for it, and no name or password.
  static void expect_nothing_in_clear(const std::string& seen) {
    EXPECT_NE(seen.find("1.3.6.1.4.1.1466.20037"), std::string::npos);
    for (const char* word : {"reader", "alice", "secret", "example"})
      EXPECT_EQ(seen.find(word), std::string::npos) << word;
  }
};

TEST_F(LdapTransport, LdapsAndPlainWorkWhenAskedFor) {
  auto with = options();
  with.url = slapd()->ldaps_url();
  const auto over_tls = login(with, "alice", "alice-secret");
  EXPECT_TRUE(over_tls) << over_tls.error().to_string();
  const auto in_clear = login(plain(), "alice", "alice-secret");
  EXPECT_TRUE(in_clear) << in_clear.error().to_string();
}

TEST_F(LdapTransport, ACertificateOfAnotherAuthorityIsRefused) {
  auto with = options();
  with.ca_file = slapd()->other_ca_file();
  expect_unavailable(with, "starting TLS");
  with.url = slapd()->ldaps_url();
  expect_unavailable(with, "starting TLS");
  with.ca_file.clear();  // the system's authorities know nothing of it either
  expect_unavailable(with, "starting TLS");
}

TEST_F(LdapTransport, ACertificateOfAnotherNameIsRefused) {
  auto with = options();
  with.url = slapd()->url("localhost");  // it is for 127.0.0.1
  expect_unavailable(with, "starting TLS");
  with.url = slapd()->ldaps_url("localhost");
  expect_unavailable(with, "starting TLS");
}

TEST_F(LdapTransport, AuthoritiesThatCannotBeReadAreSaid) {
  auto with = options();
  with.ca_file = slapd()->ca_file() + ".not-there";
  expect_unavailable(with, "ca-file");
}

TEST_F(LdapTransport, TlsOlderThan12IsRefused) {
  Slapd::Options old;
  old.ciphers = "NORMAL:-VERS-ALL:+VERS-TLS1.1";
  Slapd server(old);
  auto with = options();
  with.url = server.url();
  with.ca_file = server.ca_file();
  expect_unavailable(with, "TLS 1.1");
}

TEST_F(LdapTransport, AServerWithoutTlsIsRefused) {
  Slapd::Options without;
  without.tls = false;
  Slapd server(without);
  auto with = options();
  with.url = server.url();
  expect_unavailable(with, "asking for TLS");
}

TEST_F(LdapTransport, NothingIsSentInClearToAServerThatRefusesTls) {
  for (const std::string& answer : {kTlsRefused, std::string("\x15\x03\x01", 3), std::string()}) {
    BadServer server([&](BadServer::Visit& visit) {
      visit.read();
      visit.write(answer);
      if (answer == kTlsRefused) visit.ignore();
    });
    auto with = options();
    with.url = server.url();
    expect_unavailable(with, "");
    expect_nothing_in_clear(server.received());
    EXPECT_EQ(server.connections(), 1);
  }
}

TEST_F(LdapTransport, NothingIsSentInClearToAServerThatGrantsTlsAndHasNone) {
  BadServer server([](BadServer::Visit& visit) {
    visit.read();
    visit.write(kTlsGranted);
    visit.read();
    // A bind's success, before any TLS: bytes of whoever sits between.
    visit.write(std::string("\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00", 14));
    visit.ignore();
  });
  auto with = options();
  with.url = server.url();
  with.timeout = milliseconds(500);
  expect_unavailable(with, "starting TLS");
  expect_nothing_in_clear(server.received());
}

TEST_F(LdapTransport, NobodyListeningIsSaid) {
  auto with = options();
  const testing::LocalPort nobodys;
  with.url = "ldap://127.0.0.1:" + std::to_string(nobodys.number());
  expect_unavailable(with, "Connection refused");
  with.url = "ldap://directory.invalid";
  expect_unavailable(with, "directory.invalid");
}

TEST_F(LdapTransport, ASilentServerCostsNoMoreThanTheTimeOut) {
  BadServer silent([](BadServer::Visit& visit) { visit.ignore(); });
  BadServer silent_in_handshake([](BadServer::Visit& visit) {
    visit.read();
    visit.write(kTlsGranted);
    visit.ignore();
  });
  expect_time_out(options(), silent.url());
  expect_time_out(plain(), silent.url());
  expect_time_out(options(), "ldaps://127.0.0.1:" + std::to_string(silent.port()));
  expect_time_out(options(), silent_in_handshake.url());
}

TEST_F(LdapTransport, AServerThatDripsCostsNoMoreThanTheTimeOut) {
  // Each promises more than it sends: a long message, a TLS record, a length that is never complete.
  BadServer message([](BadServer::Visit& visit) {
    visit.read();
    visit.drip(std::string("\x30\x82\x40\x00\x02\x01\x01\x61", 8));
  });
  BadServer handshake([](BadServer::Visit& visit) {
    visit.read();
    visit.write(kTlsGranted);
    visit.read();
    visit.drip(std::string("\x16\x03\x03\x40\x00", 5));
  });
  expect_time_out(plain(), message.url());
  expect_time_out(options(), message.url());
  expect_time_out(options(), handshake.url());
}

TEST_F(LdapTransport, AServerThatDripsATlsRecordCostsNoMoreThanTheTimeOut) {
  const testing::TempDir dir;
  const testing::Certificate authority("drip authority");
  const testing::Certificate certificate("drip", &authority);
  authority.write(dir / "ca.pem", dir / "ca-key.pem");
  BadServer server([&](BadServer::Visit& visit) {
    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
    SSL_CTX_use_certificate(context.get(), certificate.x509());
    SSL_CTX_use_PrivateKey(context.get(), certificate.key());
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), &SSL_free);
    SSL_set_fd(tls.get(), visit.fd());
    EXPECT_EQ(SSL_accept(tls.get()), 1);
    char request[1024];
    EXPECT_GT(SSL_read(tls.get(), request, sizeof request), 0);
    visit.drip(std::string("\x17\x03\x03\x40\x00", 5));
  });
  auto with = options();
  with.ca_file = dir / "ca.pem";
  expect_time_out(with, "ldaps://127.0.0.1:" + std::to_string(server.port()));
}

TEST_F(LdapTransport, LoginsThatWaitTheirTurnAtASilentServerEndInTimeToo) {
  BadServer server([](BadServer::Visit& visit) { visit.ignore(); });
  auto with = options();
  with.url = server.url();
  with.timeout = milliseconds(500);
  with.connections = 2;
  LdapDirectory directory(with);
  std::vector<Task<Result<LdapPerson>>> logins;
  for (int i = 0; i < 20; ++i) logins.push_back(directory.login("alice", "alice-secret"));
  const auto start = std::chrono::steady_clock::now();
  for (const auto& person : run_all(std::move(logins))) EXPECT_EQ(kind_of(person), ErrorKind::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(3000));
}

TEST_F(LdapTransport, AMessageWithoutEndIsNotRead) {
  BadServer server([](BadServer::Visit& visit) {
    visit.read();
    visit.write(std::string("\x30\x84\x7f\xff\xff\xff\x02\x01\x01\x61", 10));
    visit.ignore();
  });
  auto with = plain();
  with.url = server.url();
  const auto start = std::chrono::steady_clock::now();
  expect_unavailable(with, "");
  EXPECT_LT(std::chrono::steady_clock::now() - start, with.timeout);
}

}  // namespace
}  // namespace wherry::master::ldap
