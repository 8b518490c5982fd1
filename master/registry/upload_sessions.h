// Upload sessions: what is known of a blob on its way in, between requests and across restarts.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_set>

#include "common/base/clock.h"
#include "common/kv/key_value.h"
#include "common/oci/digest.h"
#include "common/oci/reference.h"
#include "common/registry/storage.h"
#include "common/store/upload_state.h"

namespace wherry::master {

/// A session between two requests: a row, and a file once it has bytes. Nothing of it is held in memory, so going on
/// after a restart is going on.
class UploadSession {
 public:
  UploadSession(std::string id, std::string repository, DigestAlgorithm algorithm, std::string owner, WallTime touched)
      : id_(std::move(id)),
        repository_(std::move(repository)),
        algorithm_(algorithm),
        owner_(std::move(owner)),
        touched_(touched) {}

  const std::string& id() const { return id_; }
  const std::string& repository() const { return repository_; }
  DigestAlgorithm algorithm() const { return algorithm_; }
  /// The id of who began it; empty where everybody may do everything.
  const std::string& owner() const { return owner_; }
  WallTime touched() const { return touched_; }
  /// Bytes that are on the disk and acknowledged.
  std::uint64_t size() const { return state_ ? state_->size() : 0; }
  const std::optional<store::UploadState>& state() const { return state_; }
  void advance(store::UploadState state, WallTime now) {
    state_ = std::move(state);
    touched_ = now;
  }
  std::string file() const { return "upload-" + id_; }

  std::string encode() const;
  static Result<UploadSession> decode(std::string id, std::string_view row);

 private:
  std::string id_;
  std::string repository_;
  DigestAlgorithm algorithm_;
  std::string owner_;
  WallTime touched_;
  std::optional<store::UploadState> state_;
};

/// All sessions. One request at a time works on a session.
class UploadSessions {
 public:
  /// Holds a session for one request; gives it free when it ends, or before: at the latest when the answer goes out,
  /// for the client's next request may overtake the rest of this one.
  class Hold {
   public:
    Hold(UploadSessions& sessions, std::string id) : sessions_(&sessions), id_(std::move(id)) {}
    Hold(Hold&& other) noexcept : sessions_(std::exchange(other.sessions_, nullptr)), id_(std::move(other.id_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() { end(); }
    void end();

   private:
    UploadSessions* sessions_;
    std::string id_;
  };

  UploadSessions(registry::Storage& storage, const Clock& clock) : storage_(storage), clock_(clock) {}

  /// A new session; its row may be lost by a power cut (the client starts anew) but not by a crash.
  Task<Result<UploadSession>> begin(const RepositoryName& repository, DigestAlgorithm algorithm, std::string owner);
  /// Errors: kUploadUnknown, also when the session is another repository's, or began by another owner.
  Task<Result<UploadSession>> find(const RepositoryName& repository, const std::string& id, const std::string& owner);
  /// Holds it, waiting for a request that works on it: a client whose connection broke goes on sooner than the server
  /// has put away what came through it. Errors: kUnavailable when it is held for longer than kHoldPatience.
  Task<Result<Hold>> hold(std::string id);
  /// Keeps how far it is; durable when this returns.
  Task<Result<void>> save(const UploadSession& session);
  /// Ends it without a blob.
  Task<Result<void>> cancel(const UploadSession& session);
  /// Ends all that nobody touched for `age`. Gives how many.
  Task<Result<std::size_t>> expire(std::chrono::milliseconds age);

  const Clock& clock() const { return clock_; }

 private:
  std::optional<Hold> try_hold(const std::string& id);

  registry::Storage& storage_;
  const Clock& clock_;
  std::mutex mutex_;  // guards held_ alone
  std::unordered_set<std::string> held_;
};

}  // namespace wherry::master
