#include "node/access/known_people.h"

#include <nlohmann/json.hpp>

#include "common/auth/password_hash.h"
#include "common/base/log.h"

namespace wherry::node {
namespace {

/// Fa and the like are of node/follow. "A" name -> JSON
std::string key_of(const std::string& name) { return "A" + name; }

nlohmann::json row_of(const auth::Identity& who, const std::string& hash) {
  return {{"id", who.id}, {"groups", who.groups}, {"as_of", to_millis(who.as_of)}, {"hash", hash}};
}

}  // namespace

Task<void> KnownPeople::keep(const auth::Identity& who, std::string password) {
  if (hashing_ >= kMostHashing) co_return;
  ++hashing_;
  auto hash = co_await hashers_.run([&]() -> Result<std::string> { return auth::hash_password(password); });
  --hashing_;
  if (!hash) co_return;
  const std::string key = key_of(who.name);
  const std::string row = row_of(who, *hash).dump();
  auto kept = co_await store_.transact(
      [&](kv::Transaction& transaction) -> Result<void> {
        transaction.put(key, row);
        return {};
      },
      kv::Durability::kLazy);
  if (!kept) log::warn("who logged in cannot be kept", {{"error", kept.error().to_string()}});
}

Result<KnownPeople::Known> KnownPeople::read_row(const std::string& name, const std::string& row) {
  const auto document = nlohmann::json::parse(row, nullptr, false);
  Known known;
  try {
    known.who.id = document.at("id").get<std::string>();
    known.who.groups = document.at("groups").get<std::vector<std::string>>();
    known.who.as_of = from_millis(document.at("as_of").get<std::int64_t>());
    known.hash = document.at("hash").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    return Error(ErrorKind::kCorrupt, "the row of somebody who logged in is not in its form");
  }
  known.who.kind = auth::Identity::Kind::kUser;
  known.who.name = name;
  return known;
}

Task<Result<auth::Identity>> KnownPeople::find(std::string name, std::string password) {
  auto row = co_await store_.get(key_of(name));
  if (!row) co_return row.error();
  Known known;  // of nobody: no password fits, after the same time
  if (*row) {
    auto read = read_row(name, **row);
    if (!read) co_return read.error();
    known = std::move(*read);
  }
  if (hashing_ >= kMostHashing)
    co_return Error(ErrorKind::kTooManyRequests, "too many are logging in just now")
        .with_retry_after(std::chrono::seconds(2));
  ++hashing_;
  auto fits = co_await hashers_.run([&]() -> Result<bool> { return auth::password_fits(password, known.hash); });
  --hashing_;
  if (!fits) co_return fits.error();
  if (!*fits || Clock::system().wall() - known.who.as_of > kKnownFor) co_return nobody_known();
  co_return std::move(known.who);
}

Task<Result<void>> KnownPeople::forget_all() {
  co_return co_await store_.transact([](kv::Transaction& transaction) -> Result<void> {
    std::vector<std::string> keys;
    auto looked = transaction.scan("A", {}, [&](std::string_view key, std::string_view) {
      keys.emplace_back(key);
      return true;
    });
    for (const std::string& key : keys) transaction.erase(key);
    return looked;
  });
}

}  // namespace wherry::node
