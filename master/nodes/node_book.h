// NodeBook: the nodes that an operator has added, and what they last said of themselves.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/auth/identity.h"
#include "common/auth/node_authority.h"
#include "common/auth/signed_request.h"
#include "common/feed/admission.h"
#include "common/kv/key_value.h"
#include "master/api/call.h"
#include "master/nodes/node_record.h"

namespace wherry::master {

/// All calls from any loop; the lock is held for a look into a map.
class NodeBook final : public feed::Admission {
 public:
  static constexpr std::size_t kMost = 10'000;
  static constexpr std::chrono::hours kTokenValidity{24};
  static constexpr std::size_t kMaxReportBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMostReportBytes = std::size_t{64} << 20;  ///< of all nodes' last reports together

  /// `registered_only`: nobody else reads the feed. All outlive it.
  NodeBook(kv::KeyValue& store, auth::NodeAuthority authority, std::string feed_key, bool registered_only,
           const Clock& clock)
      : store_(store),
        authority_(std::move(authority)),
        feed_key_(std::move(feed_key)),
        registered_only_(registered_only),
        clock_(clock) {}

  /// Reads the table. Before all else.
  Task<Result<void>> load();

  /// A new node; gives its join token, which is kept nowhere. Errors: kInvalid for a name or pattern that is none or is
  /// taken.
  Task<Result<std::string>> add(std::string name, std::vector<std::string> projects, std::string site);
  /// Its streams end, its certificate does not count any more. Errors: kNotFound.
  Task<Result<void>> remove(std::string name);
  /// A node that proves to know the secret of its token (or, again, with the token and the key that used it): its
  /// certificate. Errors: kUnauthorized, kInvalid.
  struct Joined {
    auth::NodeCertificate certificate;
    NodeRecord record;
  };
  Task<Result<Joined>> join(std::string name, std::string proof, std::string request_pem);
  /// A new certificate for a node that shows the one it has.
  Task<Result<Joined>> renew(std::string name, std::string request_pem);
  const auth::NodeCertificate& authority() const { return authority_.certificate(); }

  /// Who signed that request; nothing when nobody did. Errors: kUnauthorized: a wrong signature, a removed node.
  Result<std::optional<std::string>> who(const http::Request& request, std::string_view body) const;
  /// What a node says of itself, with what its children say; `bytes`: as it was sent. Errors: kNotFound, kUnavailable
  /// beyond kMostReportBytes (the last one stays).
  Result<void> report(const std::string& name, api::Json report, std::size_t bytes);
  /// One JSON array: all nodes with their last report.
  api::Json list() const;

  Result<feed::Admitted> admit(const http::Exchange& exchange) override;
  /// The same as who reads what is stored: which projects that node may see. Errors: as who().
  Result<std::optional<auth::Identity>> identity(const http::Request& request) const;

 private:
  struct Known {
    NodeRecord record;
    std::shared_ptr<std::atomic<bool>> revoked = std::make_shared<std::atomic<bool>>(false);
    api::Json report{};
    std::size_t report_bytes = 0;
    std::optional<WallTime> seen_at{};
  };
  /// Tells all tiers whether others than registered nodes are let in.
  Task<Result<void>> announce_access();
  /// A certificate for a node whose record `may` lets it have, on the committer's thread.
  Task<Result<Joined>> issue(std::string name, std::string request_pem, std::function<Result<void>(NodeRecord&)> may);
  Result<void> check_name(const std::string& name, const std::vector<std::string>& projects) const;
  std::optional<NodeRecord> find(const std::string& name) const;
  api::Json shown(const Known& known) const;

  kv::KeyValue& store_;
  auth::NodeAuthority authority_;
  const std::string feed_key_;
  const bool registered_only_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // under mutex_
  std::size_t report_bytes_ = 0;        // of all in known_, under mutex_
};

}  // namespace wherry::master
