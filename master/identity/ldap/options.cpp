#include "master/identity/ldap/options.h"

#include <ldap.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/base/files.h"
#include "master/identity/ldap/filter.h"

namespace wherry::master::ldap {
namespace {

constexpr std::size_t kMaxPasswordFileBytes = 4096;
constexpr std::size_t kMaxAuthoritiesBytes = 4 * 1024 * 1024;

Error wrong(const ConfigSection& section, const std::string& key, std::string_view what) {
  return Error(ErrorKind::kInvalid, "{}: {}", section.place_of(key), what);
}

Result<void> read_texts(ConfigSection& section, LdapOptions& options) {
  struct Text {
    const char* key;
    std::string& into;
  };
  for (const Text& text :
       {Text{"url", options.url}, Text{"ca-file", options.ca_file}, Text{"bind-dn", options.bind_dn},
        Text{"bind-password-file", options.bind_password_file}, Text{"search-base", options.search_base},
        Text{"filter", options.filter}, Text{"login-attribute", options.login_attribute},
        Text{"mail-attribute", options.mail_attribute}, Text{"id-attribute", options.id_attribute},
        Text{"group-base", options.group_base}, Text{"group-filter", options.group_filter},
        Text{"group-name-attribute", options.group_name_attribute}})
    if (auto read = section.read(text.key, text.into); !read) return read;
  return {};
}

Result<void> read_others(ConfigSection& section, LdapOptions& options) {
  if (auto read = section.read("start-tls", options.start_tls); !read) return read;
  if (auto read = section.read("insecure-plain", options.insecure_plain); !read) return read;
  auto read = section.read_count("nested-groups", 0, kMaxNestedGroups, options.nested_groups);
  if (!read) return read;
  if (read = section.read_count("connections", 1, kMaxConnections, options.connections); !read) return read;
  if (read = section.read_duration("timeout", options.timeout); !read) return read;
  if (options.timeout < std::chrono::milliseconds(1) || options.timeout > kMaxTimeout)
    return wrong(section, "timeout", "is not between 1ms and 1m");
  return section.finish();
}

/// One server, and nothing of what an LDAP URL may say besides (RFC 4516): that has keys of its own.
bool is_server_url(const std::string& url) {
  if (!url.starts_with("ldap://") && !url.starts_with("ldaps://")) return false;
  const std::string_view place = std::string_view(url).substr(url.find("//") + 2);
  if (place.empty() || place.find_first_of("/?#@, \t\r\n") != std::string_view::npos) return false;
  LDAPURLDesc* parsed = nullptr;
  if (ldap_url_parse(url.c_str(), &parsed) != LDAP_URL_SUCCESS) return false;
  const std::unique_ptr<LDAPURLDesc, decltype(&ldap_free_urldesc)> owner(parsed, &ldap_free_urldesc);
  const bool port_is_zero = place.ends_with(":0");  // which libldap takes for the usual one
  return !port_is_zero && parsed->lud_host != nullptr && *parsed->lud_host != '\0' && parsed->lud_port > 0 &&
         parsed->lud_port < 65536;
}

/// A short name or an OID (RFC 4512, 2.5), with options: it goes into requests as it is.
bool is_attribute(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == ';' || c == '_';
  };
  return !name.empty() && std::ranges::all_of(name, fits);
}

Result<void> check_transport(const ConfigSection& section, const LdapOptions& options) {
  if (!is_server_url(options.url))
    return wrong(section, "url", "'" + options.url + "' is not ldap://HOST:PORT or ldaps://HOST:PORT");
  if (!options.with_tls() && !options.insecure_plain)
    return wrong(section, "start-tls", "false would send passwords in clear; insecure-plain: true to have it so");
  if (options.with_tls() && options.insecure_plain)
    return wrong(section, "insecure-plain", "is of use only with ldap:// and start-tls: false");
  if (options.ca_file.empty()) return {};
  if (auto readable = read_small_file(options.ca_file, kMaxAuthoritiesBytes); !readable)
    return wrong(section, "ca-file", readable.error().message());
  return {};
}

Result<void> check_search(const ConfigSection& section, const LdapOptions& options) {
  if (options.bind_dn.empty() != options.bind_password_file.empty())
    return wrong(section, options.bind_dn.empty() ? "bind-password-file" : "bind-dn",
                 "bind-dn and bind-password-file belong together");
  if (!options.bind_dn.empty()) {
    auto password = read_bind_password(options.bind_password_file);
    if (!password) return wrong(section, "bind-password-file", password.error().message());
    OPENSSL_cleanse(password->data(), password->size());
  }
  if (!is_template(options.filter, kLoginPlace))
    return wrong(section, "filter", "is not a filter in parentheses with {login} in it exactly once");
  if (!is_template(options.group_filter, kDnPlace))
    return wrong(section, "group-filter", "is not a filter in parentheses with {dn} in it exactly once");
  if (!is_attribute(options.login_attribute)) return wrong(section, "login-attribute", "is not an attribute's name");
  if (!is_attribute(options.mail_attribute)) return wrong(section, "mail-attribute", "is not an attribute's name");
  if (!is_attribute(options.id_attribute)) return wrong(section, "id-attribute", "is not an attribute's name");
  if (!is_attribute(options.group_name_attribute))
    return wrong(section, "group-name-attribute", "is not an attribute's name");
  return {};
}

}  // namespace

Result<std::string> read_bind_password(const std::string& path) {
  auto text = read_small_file(path, kMaxPasswordFileBytes);
  if (!text) return Error(ErrorKind::kInvalid, "{}", text.error().message());
  std::string& password = *text;
  if (password.ends_with('\n')) password.pop_back();
  if (password.ends_with('\r')) password.pop_back();
  if (password.empty()) return Error(ErrorKind::kInvalid, "{} is empty", path);
  if (password.find_first_of(std::string_view("\n\r\0", 3)) == std::string::npos) return text;
  OPENSSL_cleanse(password.data(), password.size());
  return Error(ErrorKind::kInvalid, "{} holds more than one line", path);
}

Result<std::optional<LdapOptions>> read_ldap(ConfigSection& file) {
  auto section = file.section("ldap");
  if (!section) return section.error();
  if (section->finish()) return std::optional<LdapOptions>();  // a section in which there is nothing to be read
  LdapOptions options;
  if (auto read = read_texts(*section, options); !read) return read.error();
  if (auto read = read_others(*section, options); !read) return read.error();
  if (options.url.empty()) return wrong(file, "ldap", "url is missing: where the directory is");
  if (options.search_base.empty()) return wrong(file, "ldap", "search-base is missing: where people are looked for");
  if (auto checked = check_transport(*section, options); !checked) return checked.error();
  if (auto checked = check_search(*section, options); !checked) return checked.error();
  return std::optional<LdapOptions>(std::move(options));
}

}  // namespace wherry::master::ldap
