// SessionFile: who is logged in to which master, for the commands of one person.
#pragma once

#include <optional>
#include <string>

#include "common/base/error.h"

namespace wherry::master {

/// $XDG_CONFIG_HOME/wherry/sessions.json (or ~/.config/...), 0600: refresh tokens by server. Blocks.
class SessionFile {
 public:
  /// Errors: kInvalid when there is no home.
  static Result<SessionFile> of_this_person();
  explicit SessionFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// Nothing when nobody is logged in there. Errors: kInvalid for a file that cannot be read or that others may read.
  Result<std::optional<std::string>> token_for(const std::string& server) const;
  Result<void> keep(const std::string& server, const std::string& user, const std::string& token) const;
  Result<void> forget(const std::string& server) const;

 private:
  std::string path_;
};

/// A password: the first line of `file` ("-": of standard input), or asked for on the terminal without being shown.
/// Never an argument. Errors: kInvalid, naming the flag.
Result<std::string> read_password(const std::string& file, const std::string& prompt);

}  // namespace wherry::master
