#include "master/cli/session_file.h"

#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "common/base/files.h"
#include "master/api/call.h"

namespace wherry::master {
namespace {

using api::Json;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxPasswordFileBytes = 4096;

/// Turns the echo of a terminal off for a while.
class NoEcho {
 public:
  explicit NoEcho(int fd) : fd_(fd) {
    is_terminal_ = ::tcgetattr(fd_, &before_) == 0;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (is_terminal_) ::tcsetattr(fd_, TCSAFLUSH, &silent);
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (is_terminal_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
  }

 private:
  int fd_;
  bool is_terminal_ = false;
  termios before_{};
};

Result<std::string> first_line(std::string text) {
  if (const auto end = text.find('\n'); end != std::string::npos) text.resize(end);
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return Error(ErrorKind::kInvalid, "--password-file: there is no password in it");
  return text;
}

}  // namespace

Result<SessionFile> SessionFile::of_this_person() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config != nullptr && *config == '/') return SessionFile(std::string(config) + "/wherry/sessions.json");
  if (home != nullptr && *home == '/') return SessionFile(std::string(home) + "/.config/wherry/sessions.json");
  return Error(ErrorKind::kInvalid, "HOME is not set: where is a session to be kept?");
}

namespace {

Result<Json> read_sessions(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
    return Error(ErrorKind::kInvalid, "{}: others may read it, and it holds what logs you in: chmod 600", path);
  auto content = read_small_file(path, kMaxFileBytes);
  if (!content && content.error().kind() == ErrorKind::kNotFound) return Json(Json::object());
  if (!content) return content.error();
  auto document = Json::parse(*content, nullptr, false);
  if (!document.is_object()) return Error(ErrorKind::kInvalid, "{}: is no JSON object", path);
  return document;
}

}  // namespace

Result<std::optional<std::string>> SessionFile::token_for(const std::string& server) const {
  auto sessions = read_sessions(path_);
  if (!sessions) return sessions.error();
  const auto found = sessions->find(server);
  if (found == sessions->end() || !found->is_object() || !found->contains("refresh_token") ||
      !(*found)["refresh_token"].is_string())
    return std::optional<std::string>();
  return std::optional((*found)["refresh_token"].get<std::string>());
}

Result<void> SessionFile::keep(const std::string& server, const std::string& user, const std::string& token) const {
  auto sessions = read_sessions(path_);
  if (!sessions) return sessions.error();
  (*sessions)[server] = {{"user", user}, {"refresh_token", token}};
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), failed);
  return replace_secret_file(path_, sessions->dump(2) + "\n");
}

Result<void> SessionFile::forget(const std::string& server) const {
  auto sessions = read_sessions(path_);
  if (!sessions) return sessions.error();
  if (sessions->erase(server) == 0) return {};
  return replace_secret_file(path_, sessions->dump(2) + "\n");
}

Result<std::string> read_password(const std::string& file, const std::string& prompt) {
  if (!file.empty() && file != "-") {
    auto content = read_small_file(file, kMaxPasswordFileBytes);
    if (!content) return Error(ErrorKind::kInvalid, "--password-file: {}", content.error().message());
    return first_line(std::move(*content));
  }
  const bool asks = file.empty() && ::isatty(STDIN_FILENO) == 1;
  if (file.empty() && !asks)
    return Error(ErrorKind::kInvalid,
                 "--password-file: name a file, or - for standard input: there is no terminal to ask on");
  if (asks) std::fprintf(stderr, "%s: ", prompt.c_str());
  std::string line;
  {
    const NoEcho silent(STDIN_FILENO);
    std::getline(std::cin, line);
  }
  if (asks) std::fputc('\n', stderr);
  return first_line(std::move(line));
}

}  // namespace wherry::master
