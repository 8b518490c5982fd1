#include "master/registry/upload_sessions.h"

#include <algorithm>

#include "common/async/sleep.h"
#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/registry/tables.h"

namespace wherry::master {
namespace {

constexpr char kRowVersion = 2;
constexpr std::size_t kIdBytes = 16;
constexpr std::chrono::milliseconds kHoldPatience{5'000};
constexpr std::chrono::milliseconds kHoldPause{10};

Error unknown(const std::string& id) {
  return Error(ErrorKind::kUploadUnknown, "there is no upload session {} in this repository; start a new one", id);
}

bool is_id(const std::string& id) {
  return id.size() == kIdBytes * 2 &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string UploadSession::encode() const {
  std::string row(1, kRowVersion);
  row.push_back(static_cast<char>(algorithm_));
  append_be64(row, static_cast<std::uint64_t>(to_millis(touched_)));
  append_text(row, repository_);
  append_text(row, owner_);
  if (state_) row.append(state_->encode());
  return row;
}

Result<UploadSession> UploadSession::decode(std::string id, std::string_view row) {
  const auto corrupt = [] { return Error(ErrorKind::kCorrupt, "the row of an upload session is not in its form"); };
  if (row.size() < 2 || row[0] != kRowVersion) return corrupt();
  const auto algorithm = static_cast<DigestAlgorithm>(row[1]);
  if (algorithm != DigestAlgorithm::kSha256 && algorithm != DigestAlgorithm::kSha512) return corrupt();
  row.remove_prefix(2);
  const auto touched = take_be64(row);
  const auto repository = take_text(row);
  const auto owner = take_text(row);
  if (!touched || *touched > INT64_MAX || !repository || !owner) return corrupt();
  UploadSession session(std::move(id), std::string(*repository), algorithm, std::string(*owner),
                        from_millis(static_cast<std::int64_t>(*touched)));
  if (!row.empty()) {
    auto state = store::UploadState::decode(row);
    if (!state) return state.error();
    if (state->hasher().algorithm() != algorithm) return corrupt();
    session.state_ = std::move(*state);
  }
  return session;
}

void UploadSessions::Hold::end() {
  if (sessions_ == nullptr) return;
  const std::lock_guard lock(sessions_->mutex_);
  sessions_->held_.erase(id_);
  sessions_ = nullptr;
}

std::optional<UploadSessions::Hold> UploadSessions::try_hold(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (!held_.insert(id).second) return std::nullopt;
  return Hold(*this, id);
}

Task<Result<UploadSessions::Hold>> UploadSessions::hold(std::string id) {
  if (!is_id(id)) co_return unknown(id);
  const auto deadline = clock_.monotonic() + kHoldPatience;
  while (true) {
    if (auto held = try_hold(id)) co_return std::move(*held);
    if (clock_.monotonic() >= deadline)
      co_return Error(ErrorKind::kUnavailable, "another request is working on upload session {}", id);
    co_await sleep_for(kHoldPause);
  }
}

Task<Result<UploadSession>> UploadSessions::begin(const RepositoryName& repository, DigestAlgorithm algorithm,
                                                  std::string owner) {
  UploadSession session(random_hex(kIdBytes), repository.text(), algorithm, std::move(owner), clock_.wall());
  auto put = co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.put(registry::tables::upload_key(session.id()), session.encode());
        return {};
      },
      kv::Durability::kLazy);
  if (!put) co_return put.error();
  co_return session;
}

Task<Result<UploadSession>> UploadSessions::find(const RepositoryName& repository, const std::string& id,
                                                 const std::string& owner) {
  if (!is_id(id)) co_return unknown(id);
  auto row = co_await storage_.names().get(registry::tables::upload_key(id));
  if (!row) co_return row.error();
  if (!*row) co_return unknown(id);
  auto session = UploadSession::decode(id, **row);
  if (!session) co_return session.error();
  if (session->repository() != repository.text() || session->owner() != owner) co_return unknown(id);
  co_return session;
}

Task<Result<void>> UploadSessions::save(const UploadSession& session) {
  co_return co_await storage_.names().transact([&](kv::Transaction& transaction) -> Result<void> {
    transaction.put(registry::tables::upload_key(session.id()), session.encode());
    return {};
  });
}

Task<Result<void>> UploadSessions::cancel(const UploadSession& session) {
  auto erased = co_await storage_.names().transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.erase(registry::tables::upload_key(session.id()));
        return {};
      },
      kv::Durability::kLazy);
  if (!erased) co_return erased;
  if (!is_id(session.id())) co_return Result<void>();  // none of ours: it never had a file
  co_return co_await storage_.blobs().discard(session.file());
}

Task<Result<std::size_t>> UploadSessions::expire(std::chrono::milliseconds age) {
  const std::string prefix = registry::tables::uploads_prefix();
  const WallTime now = clock_.wall();
  std::size_t ended = 0;
  std::string after;
  while (true) {
    auto page = co_await storage_.names().scan(kv::ScanRequest(prefix, after));
    if (!page) co_return page.error();
    for (const auto& [key, row] : page->entries) {
      auto session = UploadSession::decode(key.substr(prefix.size()), row);
      if (session && now - session->touched() < age) continue;
      auto held = try_hold(key.substr(prefix.size()));
      if (!held) continue;
      if (!session)  // a row that cannot be read stands for nothing that could go on
        session = UploadSession(key.substr(prefix.size()), {}, DigestAlgorithm::kSha256, {}, now);
      auto cancelled = co_await cancel(*session);
      if (!cancelled) co_return cancelled.error();
      ++ended;
    }
    if (!page->more) break;
    after = page->entries.back().first;
  }
  co_return ended;
}

}  // namespace wherry::master
