// Call: one request to the administration API, read; Answer: what it is answered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "common/async/task.h"
#include "common/auth/visitor.h"
#include "common/base/error.h"

namespace wherry::api {

/// Members stay in the order in which they were written: people read these documents.
using Json = nlohmann::ordered_json;

/// What a handler is told. Lives as long as the handler runs.
class Call {
 public:
  Call(std::map<std::string, std::string> path, std::string query, Json body, auth::Visitor visitor)
      : path_(std::move(path)), query_(std::move(query)), body_(std::move(body)), visitor_(std::move(visitor)) {}

  /// Who asks; he has what the endpoint needs.
  const auth::Visitor& visitor() const { return visitor_; }
  /// The client's address, without a port.
  const std::string& remote() const { return remote_; }
  void came_from(std::string remote) { remote_ = std::move(remote); }
  /// The version that an If-Match header names; nothing when there is none. Errors: kInvalid for one that is no
  /// version.
  Result<std::optional<std::uint64_t>> if_version() const;
  void set_if_match(std::string value) { if_match_ = std::move(value); }

  /// The part of the path that stands for `{name}`, decoded, never empty. The pattern must have it.
  const std::string& path(const std::string& name) const { return path_.at(name); }
  /// The first value of a query parameter, decoded.
  std::optional<std::string> query(const std::string& name) const;
  /// A number of the query; `otherwise` when it is not there. Errors: kInvalid, naming it, outside of [least, most].
  Result<std::uint64_t> number(const std::string& name, std::uint64_t otherwise, std::uint64_t least,
                               std::uint64_t most) const;
  /// The document that was sent; null when there was none.
  const Json& body() const { return body_; }

 private:
  std::map<std::string, std::string> path_;
  std::string query_;
  Json body_;
  auth::Visitor visitor_;
  std::string remote_;
  std::string if_match_;
};

/// A status with its document; 204 without one.
class Answer {
 public:
  explicit Answer(Json body, int status = 200) : status_(status), body_(std::move(body)) {}
  static Answer nothing() { return Answer(Json(), 204); }
  /// A refusal that no ErrorKind has the status of, e.g. 409. Source: RFC 9457.
  static Answer problem(int status, std::string detail);
  /// Who it was, where the call shows it by its document alone: for the audit log.
  Answer&& done_by(auth::Identity who) && {
    done_by_ = std::move(who);
    return std::move(*this);
  }
  /// The version of what is answered, as its ETag. Source: RFC 9110 8.8.3.
  Answer&& of_version(std::uint64_t version) && {
    etag_ = "\"" + std::to_string(version) + "\"";
    return std::move(*this);
  }
  /// Where what was made is.
  Answer&& at(std::string location) && {
    location_ = std::move(location);
    return std::move(*this);
  }

  int status() const { return status_; }
  const Json& body() const { return body_; }
  const std::string& location() const { return location_; }
  const std::string& etag() const { return etag_; }
  const std::optional<auth::Identity>& done_by() const { return done_by_; }
  bool is_problem() const { return status_ >= 400; }

 private:
  int status_;
  Json body_;
  std::string location_;
  std::string etag_;
  std::optional<auth::Identity> done_by_;
};

/// Answers a call; an Error is answered as the problem document of its kind. A lambda with captures that gives the task
/// of a member function, not itself a coroutine.
using Handler = std::function<Task<Result<Answer>>(const Call&)>;

}  // namespace wherry::api
