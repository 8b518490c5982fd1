#include "common/oci/referrers_index.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/oci/manifest.h"
#include "common/oci/media_types.h"

namespace wherry {
namespace {

Descriptor entry(std::string_view content) {
  return Descriptor{.media_type = std::string(media_type::kOciManifest),
                    .digest = Digest::of(DigestAlgorithm::kSha256, content),
                    .size = content.size(),
                    .artifact_type = "application/x",
                    .annotations = {{"a\"b", "c\\d\n\xc3\xa4"}, {"", ""}},
                    .platform = Platform{"linux", "arm64", "v8"},
                    .urls = {"https://example.com/a", "b"}};
}

TEST(ReferrersIndex, OfNoReferrersIsAnEmptyOciIndex) {
  EXPECT_EQ(referrers_index({}),
            R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})");
}

TEST(ReferrersIndex, ReadsBackAsTheDescriptorsThatWentIn) {
  for (std::size_t count : {1, 2, 5}) {
    std::vector<Descriptor> descriptors;
    std::vector<std::string> stored;
    for (std::size_t i = 0; i < count; ++i) {
      descriptors.push_back(entry(std::to_string(i)));
      stored.push_back(descriptors.back().to_json());
    }
    const std::string body = referrers_index(stored);
    const auto read = parse_fallback_index(body);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(*read, descriptors);
    EXPECT_EQ(nlohmann::json::parse(body)["manifests"].size(), count);
  }
}

TEST(Descriptor, JsonLeavesOutWhatIsEmpty) {
  const Descriptor bare{.media_type = "a/b", .digest = Digest::of(DigestAlgorithm::kSha256, "{}"), .size = 2};
  EXPECT_EQ(bare.to_json(),
            R"({"mediaType":"a/b","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")"
            R"(,"size":2})");
}

TEST(FallbackIndex, ThatIsNoOciIndexIsRefused) {
  for (const std::string_view bad : {"", "{}", "[]", "x", R"({"schemaVersion":2,"manifests":[{}]})",
                                     R"({"schemaVersion":2,"config":{},"layers":[]})"}) {
    const auto read = parse_fallback_index(bad);
    ASSERT_FALSE(read) << bad;
    EXPECT_EQ(read.error().kind(), ErrorKind::kManifestInvalid);
  }
}

TEST(FallbackTag, IsAlgorithmAndHexCutToWhatATagMayHold) {
  EXPECT_EQ(fallback_tag(Digest::of(DigestAlgorithm::kSha256, "abc")),
            "sha256-ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(fallback_tag(Digest::of(DigestAlgorithm::kSha512, "abc")),
            "sha512-ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a");
}

}  // namespace
}  // namespace wherry
