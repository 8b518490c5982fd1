#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/config/text.h"
#include "common/oci/excerpt.h"
#include "common/oci/platforms.h"
#include "node/cli/image_name.h"
#include "node/cli/status_table.h"
#include "node/cli/swarm_table.h"

namespace wherry::node {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST(ImageName, IsReadAsPeopleWriteIt) {
  struct Case {
    std::string text;
    std::string repository;
    std::string reference;
  };
  const std::vector<Case> cases = {
      {"docker.io/library/alpine:3.20", "docker.io/library/alpine", "3.20"},
      {"team/app", "team/app", "latest"},
      {"app", "app", "latest"},
      {"app:v1", "app", "v1"},
      {"registry.example:5000/app", "registry.example__5000/app", "latest"},
      {"registry.example:5000/team/app:v1", "registry.example__5000/team/app", "v1"},
      {"team/app@" + kDigest, "team/app", kDigest},
      {"team/app:v1@" + kDigest, "team/app", kDigest},
      {"registry.example:5000/app@" + kDigest, "registry.example__5000/app", kDigest},
      {"registry.example:5000/app:v1@" + kDigest, "registry.example__5000/app", kDigest},
  };
  for (const Case& each : cases) {
    const auto name = ImageName::parse(each.text);
    ASSERT_TRUE(name) << each.text << ": " << name.error().message();
    EXPECT_EQ(name->repository().text(), each.repository) << each.text;
    EXPECT_EQ(name->reference().to_string(), each.reference) << each.text;
    EXPECT_EQ(name->text(), each.text);
  }
}

TEST(ImageName, WhatIsNoneIsRefused) {
  for (const std::string& text :
       std::vector<std::string>{"", ":v1", "a//b", "Upper/case", "a@b", "a@" + kDigest + "0", "a:b:c", "../etc:v1",
                                "a b", "http://host/a", "a:\x1b[2J", "/a", "a/"}) {
    const auto name = ImageName::parse(text);
    ASSERT_FALSE(name) << text;
    for (const char c : name.error().message()) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << text;
  }
}

Descriptor entry(const std::string& os, const std::string& architecture, const std::string& variant) {
  Descriptor descriptor{"application/vnd.oci.image.manifest.v1+json", Digest::of(DigestAlgorithm::kSha256, "x")};
  descriptor.platform = Platform{os, architecture, variant};
  return descriptor;
}

TEST(PlatformChoice, ChoosesByOsArchitectureAndVariantWhereOneIsAskedFor) {
  const auto choice = PlatformChoice::parse({"linux/amd64", "linux/arm/v7"});
  ASSERT_TRUE(choice);
  EXPECT_TRUE(choice->wants(entry("linux", "amd64", "")));
  EXPECT_TRUE(choice->wants(entry("linux", "amd64", "v3")));
  EXPECT_TRUE(choice->wants(entry("linux", "arm", "v7")));
  EXPECT_FALSE(choice->wants(entry("linux", "arm", "v6")));
  EXPECT_FALSE(choice->wants(entry("windows", "amd64", "")));
  EXPECT_FALSE(choice->wants(entry("unknown", "unknown", "")));
  Descriptor nowhere = entry("", "", "");
  nowhere.platform.reset();
  EXPECT_FALSE(choice->wants(nowhere));
  EXPECT_TRUE(PlatformChoice::all().wants(nowhere));
  EXPECT_EQ(choice->to_string(), "linux/amd64, linux/arm/v7");
}

TEST(PlatformChoice, WhatIsNoPlatformIsRefused) {
  for (const char* const text : {"", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux//v7", "a/b/"})
    EXPECT_FALSE(PlatformChoice::parse({text})) << text;
}

TEST(Text, SizesAndBarsHaveTheirForm) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(3.0 * (1 << 30)), "3.0 GiB");
  EXPECT_EQ(human_bytes(5e15), "4547.5 TiB");
  EXPECT_EQ(bar(0, 6), "[    ]");
  EXPECT_EQ(bar(0.5, 6), "[=>  ]");
  EXPECT_EQ(bar(1, 6), "[====]");
  EXPECT_EQ(bar(7, 6), "[====]");
  EXPECT_EQ(bar(-1, 6), "[    ]");
  EXPECT_EQ(printable("a\x1b[2J\xc3\xa9\n", 100), "a?[2J???");
  EXPECT_EQ(printable("abcdef", 3), "abc");
}

TEST(StatusTable, ShowsCacheFillsAndUpstreams) {
  const auto table =
      status_table(R"({"version":"1","cache":{"bytes":1048576,"max_bytes":2097152,"blobs":3,"manifests":2},
    "fills":{"count":3,"listed":[{"digest":"sha256:0123456789abcdef0000","repository":"a/b","done_bytes":512,"total_bytes":1024,
    "bytes_per_second":256.0},{"digest":"sha256:aa","repository":"c\u001b[2J","done_bytes":5,"total_bytes":null}]},
    "upstreams":[{"name":"parent","url":"http://127.0.0.1:1","state":"down","since":"2026-01-01T00:00:00.000Z",
    "last_error":"no\nway","last_error_at":"then","calls":{"2xx":4,"unreachable":1}}]})");
  ASSERT_TRUE(table) << table.error().message();
  EXPECT_NE(table->find("cache      1.0 MiB of 2.0 MiB [=========>          ], 3 blobs, 2 manifests\n"),
            std::string::npos)
      << *table;
  EXPECT_NE(table->find("  sha256:0123456789ab  [=========>          ]  50%  512 B of 1.0 KiB  256 B/s  a/b\n"),
            std::string::npos)
      << *table;
  EXPECT_NE(table->find("5 B of ?"), std::string::npos) << *table;
  EXPECT_NE(table->find("and 1 more\n"), std::string::npos) << *table;
  EXPECT_NE(table->find("down since 2026-01-01T00:00:00.000Z  2xx: 4  unreachable: 1\n"), std::string::npos) << *table;
  EXPECT_NE(table->find("last error at then: no?way\n"), std::string::npos) << *table;
  EXPECT_EQ(table->find('\x1b'), std::string::npos);
}

TEST(StatusTable, WhatIsNoStatusIsSaid) {
  for (const char* const text : {"", "[]", "{}", "<html>", R"({"cache":1,"fills":{},"upstreams":[]})", "null"})
    EXPECT_FALSE(status_table(text)) << text;
  EXPECT_TRUE(status_table(R"({"cache":{},"fills":{"listed":[1,null]},"upstreams":[2,"x"]})"));
}

nlohmann::ordered_json swarms_of(const std::string& swarms) {
  const auto read = swarms_of_status(R"({"swarms":)" + swarms + "}");
  return read ? *read : nlohmann::ordered_json();
}

TEST(SwarmTable, ShowsWhatGathersAndWhatGives) {
  EXPECT_EQ(
      swarm_table(swarms_of(R"({"listen":"10.0.0.7:6881","site":"paris","count":3,"gathering":1,"listed":[
    {"digest":"sha256:0123456789abcdef0000","repository":"a/b","state":"gathering","since":"2026-01-01T00:00:00.000Z",
    "size_bytes":2048,"held_bytes":1024,"from_parent_bytes":512,"from_neighbours_bytes":600,"sent_bytes":0,"neighbours":4,
    "received_bytes_per_second":100,"sent_bytes_per_second":0},{"digest":"sha256:ff","repository":"c\u001b[2J",
    "state":"giving","since":"then","size_bytes":10,"held_bytes":10}]})")),
      "swarms     3: 1 gathering, 2 giving; at 10.0.0.7:6881, site paris\n"
      "BLOB                 STATE                             HELD                FROM PARENT  FROM NEIGHBOURS  SENT  "
      "NEIGHBOURS  IN       OUT    SINCE                     REPOSITORY\n"
      "sha256:0123456789ab  gathering  [======>       ]  50%  1.0 KiB of 2.0 KiB  512 B        600 B            0 B   "
      "4           100 B/s  0 B/s  2026-01-01T00:00:00.000Z  a/b\n"
      "sha256:ff            giving     [==============] 100%  10 B of 10 B        0 B          0 B              0 B   "
      "0           0 B/s    0 B/s  then                      c?[2J\n"
      "and 1 more\n");
}

TEST(SwarmTable, SaysPlainlyThatThereIsNone) {
  EXPECT_EQ(swarm_table(swarms_of(R"({"listen":null,"count":0,"listed":[]})")),
            "swarms     this node takes part in none: swarm.listen is not set\n");
  EXPECT_EQ(swarm_table(swarms_of(R"({"listen":"h:1","site":"","count":0,"listed":[]})")),
            "swarms     none now; at h:1\n");
}

TEST(SwarmTable, WhatIsNoStatusIsSaid) {
  for (const char* const text : {"", "[]", "{}", "<html>", R"({"swarms":1})", "null"})
    EXPECT_FALSE(swarms_of_status(text)) << text;
}

}  // namespace
}  // namespace wherry::node
