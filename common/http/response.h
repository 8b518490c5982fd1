// Response: a status, header fields and either a small body in memory or a Body of files.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::http {

/// The head of a response and, when it is small, its body. Content-Length, Connection and Date are added when it is
/// sent.
class Response {
 public:
  explicit Response(int status) : status_(status) { fields_.reserve(kUsualHeadBytes); }

  int status() const { return status_; }
  /// Adds a field. Control bytes in the value become spaces: what came from outside cannot end the line.
  Response& header(std::string_view name, std::string_view value) &;
  Response&& header(std::string_view name, std::string_view value) && { return std::move(header(name, value)); }
  Response& body(std::string_view media_type, std::string bytes) &;
  /// Bytes that are shared: `owner` keeps them.
  Response& body(std::string_view media_type, std::string_view bytes, std::shared_ptr<const std::string> owner) &;
  Response&& body(std::string_view media_type, std::string bytes) && {
    return std::move(body(media_type, std::move(bytes)));
  }
  /// Adds all fields of another response.
  Response& append_fields(const Response& other) & {
    fields_ += other.fields_;
    return *this;
  }
  /// A Content-Length without a body: for the answer to a HEAD.
  Response& length(std::uint64_t bytes) & {
    length_ = bytes;
    return *this;
  }
  /// Ends the connection after this response.
  Response& close() & {
    close_ = true;
    return *this;
  }

  const std::string& fields() const { return fields_; }
  std::string_view body() const { return owner_ == nullptr ? std::string_view(body_) : shared_body_; }
  std::optional<std::uint64_t> length() const { return length_; }
  bool closes() const { return close_; }

 private:
  static constexpr std::size_t kUsualHeadBytes = 400;

  int status_;
  std::string fields_;
  std::string body_;
  std::string_view shared_body_;  // when it has an owner
  std::shared_ptr<const std::string> owner_;
  std::optional<std::uint64_t> length_;
  bool close_ = false;
};

/// The first line of a response, "HTTP/1.1 200 OK" and its line end; the reason of a status that is not known here is
/// "Unknown". Valid until the next call on this thread. `status` has three digits.
std::string_view status_line(int status);

/// The Date header's value for this second; made once a second a thread.
std::string_view http_date();

}  // namespace wherry::http
