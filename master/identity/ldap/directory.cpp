#include "master/identity/ldap/directory.h"

#include <openssl/crypto.h>

#include <utility>

#include "common/base/log.h"
#include "master/identity/ldap/filter.h"
#include "master/identity/ldap/groups.h"
#include "master/identity/ldap/search_connections.h"
#include "master/identity/ldap/value.h"

namespace wherry::master::ldap {
namespace {

/// Leaves nothing of a text in memory when its scope ends.
class WipedAtEnd {
 public:
  explicit WipedAtEnd(std::string& text) : text_(text) {}
  ~WipedAtEnd() { OPENSSL_cleanse(text_.data(), text_.size()); }
  WipedAtEnd(const WipedAtEnd&) = delete;
  WipedAtEnd& operator=(const WipedAtEnd&) = delete;

 private:
  std::string& text_;
};

/// An empty one would make of the bind one as nobody, which succeeds (RFC 4513, 5.1.2).
bool is_password(std::string_view text) {
  return !text.empty() && text.size() <= LdapDirectory::kMaxPasswordBytes && text.find('\0') == std::string_view::npos;
}

/// The one answer to whoever may not come in: it tells nobody which names there are.
Error refused() { return Error(ErrorKind::kUnauthorized, "the user name or the password is wrong"); }
Error nobody() { return Error(ErrorKind::kNotFound, "the directory has nobody of this login name"); }

}  // namespace

LdapDirectory::LdapDirectory(LdapOptions options)
    : options_(std::move(options)),
      connections_(std::make_unique<SearchConnections>(options_)),
      pool_("ldap", static_cast<std::size_t>(options_.connections)) {}

LdapDirectory::~LdapDirectory() = default;

Task<Result<LdapPerson>> LdapDirectory::login(std::string name, std::string password) {
  const WipedAtEnd wiped(password);
  if (!is_name(name) || !is_password(password)) co_return refused();
  const Monotonic deadline = Clock::system().monotonic() + options_.timeout;
  const auto work = [&]() -> Result<LdapPerson> {
    auto person = find_entry(name, deadline);
    if (!person) return person.error().kind() == ErrorKind::kNotFound ? refused() : person.error();
    if (auto right = check_password(*person, password, deadline); !right) return right.error();
    return complete(std::move(*person), deadline);
  };
  auto person = co_await pool_.run(work);
  co_return person;
}

Task<Result<LdapPerson>> LdapDirectory::look_up(std::string name) {
  if (!is_name(name)) co_return nobody();
  const Monotonic deadline = Clock::system().monotonic() + options_.timeout;
  const auto work = [&]() -> Result<LdapPerson> {
    auto person = find_entry(name, deadline);
    if (!person) return person;
    return complete(std::move(*person), deadline);
  };
  auto person = co_await pool_.run(work);
  co_return person;
}

Result<void> LdapDirectory::turn_came_in_time(Monotonic deadline) const {
  if (Clock::system().monotonic() < deadline) return {};
  return Error(ErrorKind::kUnavailable, "{}: more logins wait for the directory than it answers in time", options_.url);
}

Result<LdapPerson> LdapDirectory::find_entry(const std::string& name, Monotonic deadline) {
  if (auto in_time = turn_came_in_time(deadline); !in_time) return in_time.error();
  Search search;
  search.base = options_.search_base;
  search.filter = fill_template(options_.filter, kLoginPlace, name);
  search.attributes = {options_.login_attribute, options_.mail_attribute, options_.id_attribute};
  auto found = connections_->search(search, deadline);
  if (!found) return found.error();
  if (found->more) {
    log::warn("ldap: a login name is refused, for the filter finds several entries", {{"login", name}});
    return nobody();
  }
  if (found->entries.empty() || found->entries[0].dn.empty()) return nobody();
  Entry& entry = found->entries[0];
  LdapPerson person;
  person.dn = std::move(entry.dn);
  person.login = login_of(entry.values[0], name);
  person.logins = names_of(std::move(entry.values[0]));
  person.mail = text_of(entry.values[1]);
  person.id = id_of(entry.values[2], options_.id_attribute);
  return person;
}

Result<void> LdapDirectory::check_password(const LdapPerson& person, std::string_view password, Monotonic deadline) {
  auto connection = Connection::open(options_, deadline);
  if (!connection) return connection.error();
  auto bound = connection->bind(person.dn, password, deadline);
  if (!bound && bound.error().kind() == ErrorKind::kUnauthorized) return refused();
  return bound;
}

Result<LdapPerson> LdapDirectory::complete(LdapPerson person, Monotonic deadline) {
  // Said only to whoever knows the password, for it tells that there is such a name.
  if (person.login.empty() || person.id.empty())
    return Error(ErrorKind::kUnavailable, "{}: {} has no usable {}", options_.url, person.dn,
                 person.login.empty() ? options_.login_attribute : options_.id_attribute);
  const auto search = [&](const Search& what) { return connections_->search(what, deadline); };
  auto groups = find_groups(options_, person.dn, search);
  if (!groups) return groups.error();
  person.groups = std::move(groups->names);
  person.group_dns = std::move(groups->dns);
  return person;
}

}  // namespace wherry::master::ldap
