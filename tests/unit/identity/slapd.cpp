#include "tests/unit/identity/slapd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"

namespace wherry::testing {
namespace {

constexpr char kSlapd[] = "/usr/sbin/slapd";

/// Runs a program that dies with this one; its output goes to a file.
pid_t run_program(const std::vector<std::string>& words, const std::string& output) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t child = ::fork();
  WHERRY_CHECK(child >= 0);
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  ::execv(kSlapd, arguments.data());
  ::_exit(127);
}

}  // namespace

bool Slapd::installed() { return ::access(kSlapd, X_OK) == 0; }

Slapd::Slapd(const Options& options) {
  write_files(options);
  int status = 0;
  // The name by which slapd is called says what it does.
  const pid_t loading =
      run_program({"slapadd", "-q", "-f", dir_ / "slapd.conf", "-l", dir_ / "content.ldif"}, dir_ / "log");
  WHERRY_CHECK(::waitpid(loading, &status, 0) == loading);
  if (status != 0) fmt::print(stderr, "slapadd: {}\n", read_file(dir_ / "log"));
  WHERRY_CHECK(status == 0);
  start();
}

void Slapd::write_files(const Options& options) {
  const Certificate authority("directory test authority");
  const Certificate other("another authority");
  const Certificate server("directory.example.org", &authority);
  authority.write(ca_file(), dir_ / "ca-key.pem");
  other.write(other_ca_file(), dir_ / "other-ca-key.pem");
  server.write(dir_ / "server.pem", dir_ / "server-key.pem");
  write_file(reader_password_file(), std::string(kReaderPassword) + "\n");
  write_file(dir_ / "content.ldif", directory_content(options.elsewhere_port));
  std::filesystem::create_directory(dir_ / "db");
  std::string config =
      "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n"
      "include /etc/ldap/schema/inetorgperson.schema\n"
      "modulepath /usr/lib/ldap\nmoduleload back_mdb\nallow bind_anon_cred\nsizelimit unlimited\n";
  if (options.tls)
    config += fmt::format("TLSCertificateFile {}\nTLSCertificateKeyFile {}\nTLSCipherSuite {}\n", dir_ / "server.pem",
                          dir_ / "server-key.pem", options.ciphers);
  config += fmt::format(
      "database mdb\nmaxsize 67108864\nsuffix dc=example,dc=org\ndirectory {}\nindex uid,member eq\n"
      "access to attrs=userPassword by anonymous auth by * none\n"
      "access to * by dn.exact={} read by * none\n",
      dir_ / "db", kReader);
  write_file(dir_ / "slapd.conf", config);
}

bool Slapd::answers() const {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port()));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void Slapd::start() {
  std::string places = url();
  if (std::filesystem::exists(dir_ / "server.pem")) places += " " + ldaps_url();
  process_ = run_program({"slapd", "-d", "0", "-h", places, "-f", dir_ / "slapd.conf"}, dir_ / "log");
  for (int i = 0; i < 2000 && !answers(); ++i) {
    const bool ended = ::waitpid(process_, nullptr, WNOHANG) == process_;
    if (ended) fmt::print(stderr, "slapd: {}\n", read_file(dir_ / "log"));
    WHERRY_CHECK(!ended);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Slapd::kill() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

std::string Slapd::url(const std::string& host) const { return fmt::format("ldap://{}:{}", host, port_.number()); }
std::string Slapd::ldaps_url(const std::string& host) const {
  return fmt::format("ldaps://{}:{}", host, tls_port_.number());
}

}  // namespace wherry::testing
