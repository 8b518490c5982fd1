// Membership: who this node is to its parent, and who its own children are to it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/async/pool.h"
#include "common/async/scope.h"
#include "common/async/sleep.h"
#include "common/auth/identity.h"
#include "common/auth/node_identity.h"
#include "common/auth/signed_request.h"
#include "common/feed/admission.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/kv/key_value.h"

namespace wherry::node {

/// A join token: wjt1.NAME.SECRET.KEY, of which the last is the key that signs the feed.
struct JoinToken {
  std::string name;
  std::string secret;
  std::string feed_key;
  /// Errors: kInvalid.
  static Result<JoinToken> parse(const std::string& text);
};

/// Joins once (key, certificate, DATA/node-identity.pem), signs what this node asks its parent's feed, tells the parent
/// each kReportEvery how it is, and does the same for children: what they ask to join or renew goes on to the parent,
/// what they report goes on with its own, and who of them may read the feed is decided here, by their certificates and
/// the revocations that the feed has told. At home on one loop, but for what is said to be for any.
class Membership final : public feed::Admission, public http::Service {
 public:
  static constexpr std::string_view kPrefix = "/wherry/v1/nodes/";
  static constexpr std::chrono::seconds kReportEvery{10};
  static constexpr std::size_t kMaxDocumentBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMostChildren = 4096;
  static constexpr std::size_t kMostReportBytes = std::size_t{16} << 20;  ///< of all children's last reports

  /// `status`: this node's own report, a JSON object. `parent_url` without a slash at its end; all outlive it.
  Membership(std::string data, std::string parent_url, http::ClientOptions client, kv::KeyValue& store, Pool& disk,
             std::function<std::string()> status);
  ~Membership() override;

  /// Loads the identity, or joins with that token (empty: without an identity). An unreachable parent is tried again.
  /// `joined` is called once this node is somebody.
  Task<Result<void>> start(std::string join_token, std::function<void()> joined);
  Task<void> stop();

  /// The header that shows who asks, and vouches for `client` as the value of auth::kClientHeader; nothing without an
  /// identity. Any loop.
  std::optional<std::string> authorization(std::string_view method, std::string_view target, std::string_view body,
                                           std::string_view client = {});
  const std::string& name() const { return name_; }

  /// True when it is registered for all projects: then nothing may be hidden from it.
  bool sees_all() const;
  /// The projects that it is registered for, as one text: the same text, the same view.
  std::string view() const;
  static constexpr const char* kAllProjects = "";
  /// True until it has joined, when it was told to: what it would see as nobody is not its own.
  bool is_joining() const { return joining_.load(std::memory_order_acquire); }

  /// Who is told when a certificate does not count any more. Before anything can be.
  void on_revoked(std::function<void()> told) { told_of_revocation_ = std::move(told); }

  /// All policies that the feed has had so far are known. Any loop.
  void feed_is_complete() { feed_is_complete_.store(true, std::memory_order_release); }
  /// A policy of the feed: a certificate does not count any more, or nobody but registered nodes is let in. Any loop.
  void take_policy(std::string_view name, bool is_set);

  // Any loop:
  Result<feed::Admitted> admit(const http::Exchange& exchange) override;
  /// A child, as who reads what is stored; nothing for who shows no certificate. Errors: kUnauthorized.
  Result<std::optional<auth::Identity>> identity(const http::Request& request);
  /// The name of the child that signed a request with that body; empty when none did.
  std::string signer(const http::Request& request, std::string_view body);
  Task<Result<void>> handle(http::Exchange& exchange) override;
  http::Response render(const Error& error) const override;
  void finished(const http::Exchange&, Duration) override {}

 private:
  struct Child {
    std::string report;
    WallTime seen_at{};
  };
  /// A child's certificate, and whether it has ended meanwhile.
  struct Shown {
    auth::NodeCertificate certificate;
    std::shared_ptr<const std::atomic<bool>> revoked;
  };
  Result<Shown> child_of(const http::Request& request, std::string_view body, const auth::NodeIdentity& own);
  /// Null while this node is nobody.
  std::shared_ptr<const auth::NodeIdentity> own() const;
  Task<void> run(std::optional<JoinToken> token);
  Task<Result<void>> join(const JoinToken& token);
  Task<Result<void>> renew();
  /// Takes what the parent answered, if it is a certificate of this name for this key and, unless that is empty, of
  /// this authority.
  Task<Result<void>> take_certificate(auth::NodeKey key, std::string name, std::string answer,
                                      std::string authority_der = {});
  /// The key of a join that was begun: its token works with that one alone.
  Result<auth::NodeKey> joining_key();
  Task<Result<void>> report();
  /// Sends a document to the parent; gives status and body.
  Task<Result<std::pair<int, std::string>>> post(std::string place, std::string body, std::string authorization);
  Task<Result<std::string>> take_report(const http::Request& request, std::string body);
  Task<Result<void>> pass_on(http::Exchange& exchange, std::string place, std::string body);
  std::string children() const;
  Result<void> load_identity();
  void revoke(const std::string& serial);

  const std::string path_;
  const std::string parent_url_;
  const http::ClientOptions client_options_;
  kv::KeyValue& store_;
  Pool& disk_;
  const std::function<std::string()> status_;
  std::function<void()> joined_;
  std::function<void()> told_of_revocation_ = [] {};
  Loop& home_;
  std::unique_ptr<http::Client> client_;
  std::string name_;
  std::atomic<bool> joining_{false};
  std::atomic<bool> registered_only_{false};
  std::atomic<bool> feed_is_complete_{false};
  mutable std::mutex mutex_;
  std::shared_ptr<const auth::NodeIdentity> identity_;                                      // under mutex_
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> revoked_;                       // by serial, under mutex_
  std::shared_ptr<std::atomic<bool>> nobody_ = std::make_shared<std::atomic<bool>>(false);  // under mutex_
  std::map<std::string, Child> children_;                                                   // by name, under mutex_
  Scope scope_;
  Sleeper sleeper_;
  bool stopping_ = false;
};

}  // namespace wherry::node
