#include "node/access/known_people.h"

#include <nlohmann/json.hpp>

#include "common/auth/password_hash.h"
#include "common/base/log.h"

namespace wherry::node {
namespace {

/// Fa and the like are of node/follow. "A" name -> JSON
std::string key_of(const std::string& name) { return "A" + name; }

nlohmann::json row_of(const auth::Identity& who, const std::string& hash) {
  return {{"id", who.id},
          {"robot", who.kind == auth::Identity::Kind::kRobot},
          {"groups", who.groups},
          {"as_of", to_millis(who.as_of)},
          {"hash", hash}};
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

Task<Result<auth::Identity>> KnownPeople::find(std::string name, std::string password) {
  auto row = co_await store_.get(key_of(name));
  if (!row) co_return row.error();
  if (!*row)
    co_return Error(ErrorKind::kUnavailable,
                    "the master cannot be asked who that is, and nobody of that name is known here");
  const auto document = nlohmann::json::parse(**row, nullptr, false);
  auth::Identity who;
  std::string hash;
  try {
    who.id = document.at("id").get<std::string>();
    who.groups = document.at("groups").get<std::vector<std::string>>();
    who.kind = document.at("robot").get<bool>() ? auth::Identity::Kind::kRobot : auth::Identity::Kind::kUser;
    who.as_of = from_millis(document.at("as_of").get<std::int64_t>());
    hash = document.at("hash").get<std::string>();
  } catch (const nlohmann::json::exception&) {
    co_return Error(ErrorKind::kCorrupt, "the row of somebody who logged in is not in its form");
  }
  who.name = std::move(name);
  if (Clock::system().wall() - who.as_of > kKnownFor)
    co_return Error(ErrorKind::kUnavailable, "the master cannot be asked who that is, and was not for too long");
  if (hashing_ >= kMostHashing)
    co_return Error(ErrorKind::kTooManyRequests, "too many are logging in just now")
        .with_retry_after(std::chrono::seconds(2));
  ++hashing_;
  auto fits = co_await hashers_.run([&]() -> Result<bool> { return auth::password_fits(password, hash); });
  --hashing_;
  if (!fits) co_return fits.error();
  if (!*fits) co_return Error(ErrorKind::kUnauthorized, "name or password is wrong");
  co_return who;
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
