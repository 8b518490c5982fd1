#include "node/upstream/upstreams.h"

#include <gtest/gtest.h>

#include "tests/unit/support/error_kind.h"

namespace wherry::node {
namespace {

using testing::kind_of;

UpstreamOptions named(std::string name, std::string url = "http://127.0.0.1:1") {
  UpstreamOptions options;
  options.name = std::move(name);
  options.url = std::move(url);
  return options;
}

std::unique_ptr<Upstreams> usual(const std::string& root = {},
                                 const std::string& parent = "http://master.example:5000") {
  auto hub = named("docker.io");
  hub.library = true;
  hub.aliases = {"registry-1.docker.io"};
  hub.deny = {"library/secret*"};
  auto other = named("localhost:5999");
  other.allow = {"team/*"};
  auto made = Upstreams::make({named("", parent), {hub, other}, root}, {});
  EXPECT_TRUE(made);
  return std::move(*made);
}

std::string placed(const Upstreams& upstreams, const std::optional<std::string>& registry, const std::string& name) {
  auto kept = upstreams.place(registry, RepositoryName::parse(name).value());
  if (!kept) return kept.error().kind() == ErrorKind::kDenied ? "denied" : "unknown";
  const auto remote = upstreams.remote(*kept);
  if (!remote) return "nobody's";
  return kept->text() + " = " + remote->repository().text() + " of " + remote->origin().options().name;
}

TEST(Upstreams, ThreeDialectsMeanTheSame) {
  const auto all = usual("docker.io");
  const std::string alpine = "docker.io/library/alpine = library/alpine of docker.io";
  EXPECT_EQ(placed(*all, "docker.io", "library/alpine"), alpine);
  EXPECT_EQ(placed(*all, "registry-1.docker.io", "alpine"), alpine);
  EXPECT_EQ(placed(*all, std::nullopt, "docker.io/library/alpine"), alpine);
  EXPECT_EQ(placed(*all, std::nullopt, "docker.io/alpine"), alpine);
  EXPECT_EQ(placed(*all, std::nullopt, "library/alpine"), alpine);
  EXPECT_EQ(placed(*all, std::nullopt, "alpine"), alpine);
}

TEST(Upstreams, WithoutARootNamesAreTheParents) {
  const auto all = usual();
  EXPECT_EQ(placed(*all, std::nullopt, "team/app"), "team/app = team/app of ");
  EXPECT_EQ(placed(*all, "master.example:5000", "team/app"), "team/app = team/app of ");
  EXPECT_EQ(placed(*all, std::nullopt, "docker.io"), "docker.io = docker.io of ");
}

TEST(Upstreams, APortIsKeptInAFormThatNamesHave) {
  const auto all = usual();
  const std::string app = "localhost__5999/team/app = team/app of localhost:5999";
  EXPECT_EQ(placed(*all, "localhost:5999", "team/app"), app);
  EXPECT_EQ(placed(*all, std::nullopt, "localhost__5999/team/app"), app);
}

TEST(Upstreams, NobodyElsesRegistryIsAskedFor) {
  const auto all = usual("docker.io");
  for (const char* registry : {"", "evil.example", "docker.io:443", "http://docker.io", "docker.io/", "DOCKER.IO",
                               "docker.io.", "127.0.0.1:1", "localhost", "localhost:5998", "[::1]"})
    EXPECT_EQ(placed(*all, registry, "library/alpine"), "unknown") << registry;
}

TEST(Upstreams, AllowAndDenyHoldInEveryDialect) {
  const auto all = usual("docker.io");
  EXPECT_EQ(placed(*all, "docker.io", "secret"), "denied");
  EXPECT_EQ(placed(*all, std::nullopt, "library/secret-app"), "denied");
  EXPECT_EQ(placed(*all, std::nullopt, "docker.io/secret"), "denied");
  EXPECT_EQ(placed(*all, "localhost:5999", "other/app"), "denied");
}

TEST(Upstreams, TheParentsNameLeadsToNobodyElsesRepositories) {
  const auto all = usual();
  EXPECT_EQ(placed(*all, "master.example:5000", "docker.io/library/secret"), "unknown");
  EXPECT_EQ(placed(*all, "master.example:5000", "localhost__5999/other/app"), "unknown");
  EXPECT_EQ(placed(*all, "master.example:5000", "registry-1.docker.io/app"),
            "registry-1.docker.io/app = registry-1.docker.io/app of ");
  EXPECT_EQ(placed(*all, "docker.io", "localhost__5999/other/app"),
            "docker.io/localhost__5999/other/app = localhost__5999/other/app of docker.io");
}

TEST(Upstreams, WithoutAParentUnprefixedNamesMeanNothing) {
  const auto all = usual("", "");
  EXPECT_EQ(all->parent(), nullptr);
  EXPECT_EQ(placed(*all, std::nullopt, "team/app"), "unknown");
  EXPECT_EQ(placed(*all, "docker.io", "alpine"), "docker.io/library/alpine = library/alpine of docker.io");
}

TEST(Upstreams, AWrongConfigurationIsRefused) {
  EXPECT_EQ(kind_of(Upstreams::make({{}, {named("docker.io"), named("docker.io")}, ""}, {})), ErrorKind::kInvalid);
  EXPECT_EQ(kind_of(Upstreams::make({{}, {named("docker.io")}, "quay.io"}, {})), ErrorKind::kInvalid);
  auto secret = named("docker.io");
  secret.credentials_file = "/nowhere/at/all";
  EXPECT_EQ(kind_of(Upstreams::make({{}, {secret}, ""}, {})), ErrorKind::kInvalid);
}

}  // namespace
}  // namespace wherry::node
