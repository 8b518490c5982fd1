// What it costs to know who sends a request: a token that was seen before, one that was not, and what he may do.
#include <benchmark/benchmark.h>

#include "common/auth/claims.h"
#include "common/auth/jwt.h"
#include "common/auth/token_memory.h"
#include "common/auth/visitor.h"

namespace wherry::auth {
namespace {

struct House {
  JwtSigningKey key = JwtSigningKey::make();
  std::shared_ptr<AccessSettings> settings = std::make_shared<AccessSettings>();
  std::shared_ptr<Policy> policy = std::make_shared<Policy>();
  Claims claims;
  WallTime now = Clock::system().wall();
  std::string token;

  House() {
    settings->keys.push_back(key.public_key());
    std::vector<Grant> grants;
    for (int i = 0; i < 100; ++i)
      grants.push_back({.subject = "u-" + std::to_string(i), .repository = {}, .permissions = {Permission::kPull}});
    for (int i = 0; i < 1000; ++i) {
      const ProjectPolicy project("p-" + std::to_string(i), false, grants);
      const auto set = policy->set_project("project" + std::to_string(i), project.to_json());
      if (!set) std::abort();
    }
    claims.id = "0123456789abcdef01234567";
    claims.expires = now + std::chrono::minutes(5);
    claims.who.kind = Identity::Kind::kUser;
    claims.who.id = "u-50";
    claims.who.name = "somebody";
    claims.who.groups = {"g-1", "g-2", "g-3"};
    claims.access.push_back({.scope = *Scope::parse("repository:project500/app:pull"), .project_id = "p-500"});
    token = sign_claims(key, claims, "wherry-master", settings->service, now);
  }
};

void verify_a_token(benchmark::State& state) {
  const House house;
  for (auto _ : state) benchmark::DoNotOptimize(read_claims(house.token, *house.settings, house.now));
}
BENCHMARK(verify_a_token);

void find_a_token_that_was_verified(benchmark::State& state) {
  const House house;
  const std::shared_ptr<const AccessSettings> settings = house.settings;
  TokenMemory memory;
  memory.keep(house.token, settings, std::make_shared<const Claims>(house.claims));
  for (auto _ : state) benchmark::DoNotOptimize(memory.find(house.token, settings, house.now));
}
BENCHMARK(find_a_token_that_was_verified);

void decide_what_he_may(benchmark::State& state) {
  const House house;
  const Visitor visitor(house.policy, std::make_shared<const Claims>(house.claims));
  for (auto _ : state) benchmark::DoNotOptimize(visitor.may(Permission::kPull, "project500/app"));
}
BENCHMARK(decide_what_he_may);

void refuse_dots(benchmark::State& state) {
  const House house;
  const std::string dots(kMaxTokenBytes, '.');
  for (auto _ : state) benchmark::DoNotOptimize(read_claims(dots, *house.settings, house.now));
}
BENCHMARK(refuse_dots);

}  // namespace
}  // namespace wherry::auth
