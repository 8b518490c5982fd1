#include "master/identity/ldap/connection.h"

#include <openldap.h>
#include <sys/time.h>

#include <algorithm>
#include <utility>

#include "master/identity/ldap/dial.h"

namespace wherry::master::ldap {
namespace {

constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";
constexpr char kTooLate[] = "no answer in time";
constexpr std::size_t kMaxDiagnosisBytes = 200;

timeval to_timeval(std::chrono::microseconds time) { return {time.count() / 1'000'000, time.count() % 1'000'000}; }

/// Whether what was agreed on is TLS 1.2 or newer. Asked after the handshake, for libldap on GnuTLS (Debian) ignores
/// the oldest version it is told, and leaks memory when it is told by the ciphers.
bool is_modern_tls(LDAP* handle) {
  char* raw = nullptr;
  if (ldap_get_option(handle, LDAP_OPT_X_TLS_VERSION, &raw) != LDAP_OPT_SUCCESS || raw == nullptr) return false;
  const std::unique_ptr<char, decltype(&ldap_memfree)> owner(raw, &ldap_memfree);
  const std::string_view version(raw);
  return version == "TLS1.2" || version == "TLS1.3" || version == "TLSv1.2" || version == "TLSv1.3";
}

/// The codes by which directories say: this is not his password, or he may not come in by it (RFC 4511, A.2; Active
/// Directory says invalidCredentials for all, password policies constraintViolation).
bool refuses_person(int code) {
  return code == LDAP_INVALID_CREDENTIALS || code == LDAP_INAPPROPRIATE_AUTH || code == LDAP_INSUFFICIENT_ACCESS ||
         code == LDAP_NO_SUCH_OBJECT || code == LDAP_UNWILLING_TO_PERFORM || code == LDAP_CONSTRAINT_VIOLATION ||
         code == LDAP_INVALID_DN_SYNTAX;
}

}  // namespace

std::size_t Entry::bytes() const {
  std::size_t sum = dn.size();
  for (const auto& each : values)
    for (const std::string& value : each) sum += value.size();
  return sum;
}

Result<Connection> Connection::open(const LdapOptions& options, Monotonic deadline) {
  Connection connection(options);
  if (auto connected = connection.connect(options, deadline); !connected) return connected.error();
  if (auto prepared = connection.prepare(options); !prepared) return prepared.error();
  if (auto secured = connection.secure(options); !secured) return secured.error();
  return connection;
}

Result<void> Connection::connect(const LdapOptions& options, Monotonic deadline) {
  LDAPURLDesc* parsed = nullptr;
  if (ldap_url_parse(options.url.c_str(), &parsed) != LDAP_URL_SUCCESS) return failed("connecting", "not an LDAP URL");
  const std::unique_ptr<LDAPURLDesc, decltype(&ldap_free_urldesc)> owner(parsed, &ldap_free_urldesc);
  auto fd = dial(parsed->lud_host == nullptr ? "" : parsed->lud_host, parsed->lud_port, deadline);
  if (!fd) return failed("connecting", fd.error().message());
  LDAP* handle = nullptr;
  const int code = ldap_init_fd(fd->get(), LDAP_PROTO_EXT, options.url.c_str(), &handle);
  if (code != LDAP_SUCCESS) return failed("connecting", ldap_err2string(code));
  handle_.reset(handle);
  Sockbuf* buffer = nullptr;
  ldap_get_option(handle, LDAP_OPT_SOCKBUF, &buffer);
  if (buffer != nullptr) socket_ = TimedSocket::attach(buffer, std::move(*fd));
  ber_len_t largest = kMaxMessageBytes;
  if (!socket_ || ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) != 1)
    return failed("connecting", "libldap takes no socket");
  socket_->end_at(deadline);
  return {};
}

Result<void> Connection::prepare(const LdapOptions& options) {
  LDAP* handle = handle_.get();
  bool well = true;
  const auto set = [&](int option, const void* value) {
    well = well && ldap_set_option(handle, option, value) == LDAP_OPT_SUCCESS;
  };
  const auto set_number = [&](int option, int value) { set(option, &value); };
  // All that ldap.conf or the environment may have set for every program.
  set_number(LDAP_OPT_PROTOCOL_VERSION, LDAP_VERSION3);
  set_number(LDAP_OPT_DEREF, LDAP_DEREF_NEVER);
  set_number(LDAP_OPT_SIZELIMIT, 0);
  set_number(LDAP_OPT_TIMELIMIT, 0);
  set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
  set(LDAP_OPT_RESTART, LDAP_OPT_ON);
  set(LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_OFF);
  if (tls_) {
    set_number(LDAP_OPT_X_TLS_REQUIRE_CERT, LDAP_OPT_X_TLS_DEMAND);
    set(LDAP_OPT_X_TLS_CACERTFILE, options.ca_file.empty() ? kSystemAuthorities : options.ca_file.c_str());
    set_number(LDAP_OPT_X_TLS_PROTOCOL_MIN, LDAP_OPT_X_TLS_PROTOCOL_TLS1_2);
    if (!well) return failed("preparing", "libldap lacks an option");
    set_number(LDAP_OPT_X_TLS_NEWCTX, 0);
    if (!well) return failed("starting TLS", "the authorities in ca-file cannot be used");
  }
  if (!well) return failed("preparing", "libldap lacks an option");
  return {};
}

Result<void> Connection::secure(const LdapOptions& options) {
  if (!tls_) return {};
  if (!options.ldaps()) {
    int id = 0;
    int code = ldap_start_tls(handle_.get(), nullptr, nullptr, &id);
    if (code != LDAP_SUCCESS) return failed("asking for TLS", ldap_err2string(code));
    auto answer = receive(id, LDAP_MSG_ALL);
    if (!answer) return answer.error();
    if (code = outcome_of(answer->get()); code != LDAP_SUCCESS)
      return failed("asking for TLS", fmt::format("{}{}", ldap_err2string(code), diagnosis()));
  }
  const int code = ldap_install_tls(handle_.get());
  if (code != LDAP_SUCCESS || ldap_tls_inplace(handle_.get()) != 1)
    return failed("starting TLS", fmt::format("{}{}", ldap_err2string(code), diagnosis()));
  if (!is_modern_tls(handle_.get())) return failed("starting TLS", "it offers nothing newer than TLS 1.1");
  return {};
}

Result<void> Connection::before_asking(Monotonic deadline) {
  socket_->end_at(deadline);
  int fd = -1;
  const bool open = !broken_ && ldap_get_option(handle_.get(), LDAP_OPT_DESC, &fd) == LDAP_OPT_SUCCESS;
  if (!open || fd != socket_->fd() || fd < 0 || (tls_ && ldap_tls_inplace(handle_.get()) != 1))
    return failed("asking", "the connection is gone");
  if (socket_->is_over()) return failed("asking", kTooLate);
  return {};
}

Result<Connection::Message> Connection::receive(int id, int how_much) {
  timeval left = to_timeval(socket_->left());
  LDAPMessage* raw = nullptr;
  const int type = ldap_result(handle_.get(), id, how_much, &left, &raw);
  Message message(raw);
  if (type > 0 && message) return message;
  if (type == 0) return failed("waiting", kTooLate);
  int code = LDAP_SERVER_DOWN;
  ldap_get_option(handle_.get(), LDAP_OPT_RESULT_CODE, &code);
  return failed("waiting", ldap_err2string(code));
}

int Connection::outcome_of(LDAPMessage* message) {
  int code = LDAP_OTHER;
  const int parsed = ldap_parse_result(handle_.get(), message, &code, nullptr, nullptr, nullptr, nullptr, 0);
  return parsed == LDAP_SUCCESS ? code : parsed;
}

Result<void> Connection::bind(const std::string& dn, std::string_view password, Monotonic deadline) {
  if (dn.empty() || password.empty() || password.find('\0') != std::string_view::npos)
    return Error(ErrorKind::kUnauthorized, "{}: a bind without a name or a password", url_);
  if (auto ready = before_asking(deadline); !ready) return ready;
  berval secret{password.size(), const_cast<char*>(password.data())};
  int id = 0;
  int code = ldap_sasl_bind(handle_.get(), dn.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr, &id);
  if (code != LDAP_SUCCESS) return failed("binding", ldap_err2string(code));
  auto answer = receive(id, LDAP_MSG_ALL);
  if (!answer) return answer.error();
  code = outcome_of(answer->get());
  if (code == LDAP_SUCCESS) return {};
  // What the directory says besides the code stays out: nothing keeps it from repeating what it was sent.
  Error refused = failed("binding", ldap_err2string(code));
  if (refuses_person(code)) return Error(ErrorKind::kUnauthorized, refused.message());
  return refused;
}

Result<Found> Connection::search(const Search& search, Monotonic deadline) {
  if (auto ready = before_asking(deadline); !ready) return ready.error();
  std::vector<char*> attributes;
  for (const std::string& name : search.attributes) attributes.push_back(const_cast<char*>(name.c_str()));
  attributes.push_back(nullptr);
  timeval left = to_timeval(socket_->left());
  left.tv_sec += 1;  // what the server keeps to, in whole seconds of which 0 is for ever
  int id = 0;
  int code = ldap_search_ext(handle_.get(), search.base.c_str(), LDAP_SCOPE_SUBTREE, search.filter.c_str(),
                             attributes.data(), 0, nullptr, nullptr, &left, static_cast<int>(search.most) + 1, &id);
  if (code != LDAP_SUCCESS) return failed("searching", ldap_err2string(code));
  Found found;
  std::size_t references = 0;
  std::size_t bytes = 0;
  while (true) {
    auto message = receive(id, LDAP_MSG_ONE);
    if (!message) return message.error();
    const int type = ldap_msgtype(message->get());
    if (type == LDAP_RES_SEARCH_RESULT) {
      code = outcome_of(message->get());
      break;
    }
    if (type == LDAP_RES_SEARCH_ENTRY) {
      if (found.entries.size() > search.most) return failed("searching", "it sends more than it was asked for");
      found.entries.push_back(read_entry(message->get(), search.attributes));
      bytes += found.entries.back().bytes();
      if (bytes > kMaxFoundBytes) return failed("searching", "it sends more than people and groups are made of");
    } else if (++references > kMaxReferences) {
      return failed("searching", "it sends more references than anyone could follow");
    }
  }
  if (code != LDAP_SUCCESS && code != LDAP_SIZELIMIT_EXCEEDED)
    return failed(fmt::format("searching below '{}'", search.base),
                  code == LDAP_REFERRAL ? std::string("it refers to another server, which is not followed")
                                        : fmt::format("{}{}", ldap_err2string(code), diagnosis()));
  found.more = code == LDAP_SIZELIMIT_EXCEEDED || found.entries.size() > search.most;
  if (found.entries.size() > search.most) found.entries.resize(search.most);
  return found;
}

Entry Connection::read_entry(LDAPMessage* message, const std::vector<std::string>& attributes) {
  Entry entry;
  const std::unique_ptr<char, decltype(&ldap_memfree)> dn(ldap_get_dn(handle_.get(), message), &ldap_memfree);
  if (dn) entry.dn = dn.get();
  for (const std::string& name : attributes) {
    std::vector<std::string>& values = entry.values.emplace_back();
    const std::unique_ptr<berval*, decltype(&ldap_value_free_len)> raw(
        ldap_get_values_len(handle_.get(), message, name.c_str()), &ldap_value_free_len);
    for (berval** each = raw.get(); each != nullptr && *each != nullptr; ++each)
      values.emplace_back((*each)->bv_val, (*each)->bv_len);
  }
  return entry;
}

std::string Connection::diagnosis() {
  char* raw = nullptr;
  ldap_get_option(handle_.get(), LDAP_OPT_DIAGNOSTIC_MESSAGE, &raw);
  const std::unique_ptr<char, decltype(&ldap_memfree)> owner(raw, &ldap_memfree);
  std::string text(raw == nullptr ? "" : raw, raw == nullptr ? 0 : ::strnlen(raw, kMaxDiagnosisBytes));
  std::ranges::replace_if(text, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.empty() ? text : " (" + text + ")";
}

Error Connection::failed(std::string_view doing, std::string_view why) {
  broken_ = true;
  if (socket_ && socket_->is_over()) why = kTooLate;
  return Error(ErrorKind::kUnavailable, "{}: {}: {}", url_, doing, why);
}

}  // namespace wherry::master::ldap
