// What a server of a test answers.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/async/event.h"
#include "common/base/check.h"
#include "common/base/unique_fd.h"
#include "common/http/body.h"
#include "common/http/server.h"

namespace wherry::testing {

/// A file in memory as a Body; `allowed` of it may be sent so far.
class MemoryBody : public http::Body {
 public:
  explicit MemoryBody(const std::string& bytes) : size_(bytes.size()), allowed_(bytes.size()) {
    fd_.reset(::memfd_create("body", MFD_CLOEXEC));
    WHERRY_CHECK(::write(fd_.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  int file() const override { return fd_.get(); }
  std::uint64_t size() const override { return size_; }
  std::optional<Result<std::uint64_t>> try_ready(std::uint64_t offset, std::uint64_t want, std::uint64_t) override {
    if (offset >= allowed_ && !broken_) return std::nullopt;
    if (broken_ && offset >= allowed_) return Result<std::uint64_t>(Error(ErrorKind::kCorrupt, "damaged"));
    return Result<std::uint64_t>(std::min(want, allowed_ - offset));
  }
  Task<Result<std::uint64_t>> ready(std::uint64_t offset, std::uint64_t want, std::uint64_t end) override {
    while (true) {
      auto now = try_ready(offset, want, end);
      if (now) co_return *now;
      co_await moved_.wait();
    }
  }
  void allow(std::uint64_t bytes) {
    allowed_ = std::min(bytes, size_);
    moved_.wake_all();
  }
  void break_off_at(std::uint64_t bytes) {
    allowed_ = bytes;
    broken_ = true;
  }

 private:
  UniqueFd fd_;
  std::uint64_t size_;
  std::uint64_t allowed_;
  bool broken_ = false;
  Event moved_;
};

/// Answers by path: /file sends the body, /echo what it was sent, /ignore leaves a body unread, /fail is an error.
class TestService : public http::Service {
 public:
  explicit TestService(MemoryBody& body) : body_(body) {}
  Task<Result<void>> handle(http::Exchange& exchange) override {
    const std::string path(exchange.request().path);
    if (path == "/file") {
      http::Response fields(200);
      fields.header("X-Kind", "file");
      co_return co_await exchange.send_file(std::move(fields), body_, "application/x");
    }
    if (path == "/echo") {
      auto body = co_await exchange.read_whole_body(1024 * 1024);
      if (!body) co_return body.error();
      http::Response response(200);
      response.body("text/plain", "echo:" + *body);
      co_return co_await exchange.send(std::move(response));
    }
    if (path == "/fail") co_return Error(ErrorKind::kDenied, "refused by the handler");
    if (path == "/nothing") co_return Result<void>();
    http::Response response(200);
    response.body("text/plain", path);
    co_return co_await exchange.send(std::move(response));
  }
  http::Response render(const Error& error) const override {
    return http::Response(403).body("text/plain", error.message());
  }
  void finished(const http::Exchange& exchange, Duration) override { statuses.push_back(exchange.status()); }

  std::vector<int> statuses;

 private:
  MemoryBody& body_;
};

}  // namespace wherry::testing
