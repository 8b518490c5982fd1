#include "common/oci/manifest.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/oci/media_types.h"

namespace wherry {
namespace {

const std::string kOciManifest(media_type::kOciManifest);
const std::string kOciIndex(media_type::kOciIndex);
const std::string kDockerManifest(media_type::kDockerManifest);
const std::string kDockerList(media_type::kDockerList);

std::string digest(char hex) { return "sha256:" + std::string(64, hex); }
Digest D(char hex) { return *Digest::parse(digest(hex)); }

std::string descriptor(std::string_view type, char hex, std::string_view more = "") {
  return fmt::format(R"({{"mediaType":"{}","digest":"{}","size":7{}}})", type, digest(hex), more);
}
const std::string kConfig = R"("config":)" + descriptor(media_type::kOciConfig, 'c');
const std::string kLayers = R"("layers":[)" + descriptor(media_type::kOciLayerGzip, '1') + "," +
                            descriptor(media_type::kOciLayerZstd, '2') + "]";
const std::string kManifests =
    R"("manifests":[)" + descriptor(media_type::kOciManifest, 'a') + "," + descriptor(media_type::kOciIndex, 'b') + "]";

std::string image(std::string_view more = "") {
  return R"({"schemaVersion":2,)" + kConfig + "," + kLayers + std::string(more) + "}";
}
std::string index(std::string_view more = "") {
  return R"({"schemaVersion":2,)" + kManifests + std::string(more) + "}";
}
std::string typed(std::string_view type) { return fmt::format(R"(,"mediaType":"{}")", type); }

/// Expects the refusal and gives its message.
std::string refusal(std::string_view bytes, std::string_view type, ErrorKind kind = ErrorKind::kManifestInvalid) {
  const auto manifest = Manifest::parse(bytes, type);
  EXPECT_FALSE(manifest) << type << ": " << bytes.substr(0, 300);
  if (manifest) return "";
  EXPECT_EQ(manifest.error().kind(), kind);
  EXPECT_LT(manifest.error().message().size(), 400U);
  return manifest.error().message();
}

#define EXPECT_REFUSED(bytes, type, reason)                          \
  do {                                                               \
    const std::string message_ = refusal(bytes, type);               \
    EXPECT_NE(message_.find(reason), std::string::npos) << message_; \
  } while (false)

TEST(Manifest, OfAnImageGivesItsParts) {
  for (const std::string& type : {kOciManifest, kDockerManifest}) {
    for (const std::string& body : {image(), image(typed(type))}) {
      const auto manifest = Manifest::parse(body, type);
      ASSERT_TRUE(manifest) << manifest.error().message();
      EXPECT_EQ(manifest->media_type(), type);
      EXPECT_EQ(manifest->kind(), ManifestKind::kImage);
      ASSERT_TRUE(manifest->config());
      EXPECT_EQ(manifest->config()->digest, D('c'));
      EXPECT_EQ(manifest->config()->size, 7U);
      ASSERT_EQ(manifest->layers().size(), 2U);
      EXPECT_EQ(manifest->layers()[1].media_type, media_type::kOciLayerZstd);
      EXPECT_FALSE(manifest->subject());
      EXPECT_EQ(manifest->artifact_type(), media_type::kOciConfig);
      EXPECT_EQ(manifest->blob_children(), (std::vector{D('1'), D('2'), D('c')}));
      EXPECT_TRUE(manifest->manifest_children().empty());
      EXPECT_TRUE(manifest->optional_children().empty());
    }
  }
}

TEST(Manifest, OfAnIndexGivesItsParts) {
  const std::string body =
      R"({"schemaVersion":2,"manifests":[)" +
      descriptor(kOciManifest, 'a', R"(,"platform":{"os":"linux","architecture":"arm","variant":"v7","os.version":"1"},
        "annotations":{"k":"v"},"artifactType":"a/b")") +
      R"(],"annotations":{"x":"1","y":"2"}})";
  for (const std::string& type : {kOciIndex, kDockerList}) {
    const auto manifest = Manifest::parse(body, type);
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_EQ(manifest->kind(), ManifestKind::kIndex);
    ASSERT_EQ(manifest->manifests().size(), 1U);
    const Descriptor& entry = manifest->manifests()[0];
    ASSERT_TRUE(entry.platform);
    EXPECT_EQ(*entry.platform, (Platform{"linux", "arm", "v7"}));
    EXPECT_EQ(entry.annotations, (Annotations{{"k", "v"}}));
    EXPECT_EQ(entry.artifact_type, "a/b");
    EXPECT_EQ(manifest->annotations(), (Annotations{{"x", "1"}, {"y", "2"}}));
    EXPECT_EQ(manifest->artifact_type(), "") << "an index has only the artifactType that it states";
    EXPECT_EQ(manifest->manifest_children(), (std::vector{D('a')}));
    EXPECT_TRUE(manifest->blob_children().empty());
  }
}

TEST(Manifest, WithoutContentTypeIsKnownByItsMediaTypeOrShape) {
  struct Case {
    std::string body;
    std::string type;
  };
  for (const Case& c : std::vector<Case>{{image(), kOciManifest},
                                         {index(), kOciIndex},
                                         {image(typed(kDockerManifest)), kDockerManifest},
                                         {index(typed(kDockerList)), kDockerList},
                                         {R"({"mediaType":"application/x","a":1})", "application/x"}}) {
    for (const std::string_view header : {"", " ", "; charset=utf-8"}) {
      const auto manifest = Manifest::parse(c.body, header);
      ASSERT_TRUE(manifest) << manifest.error().message();
      EXPECT_EQ(manifest->media_type(), c.type);
    }
  }
  EXPECT_REFUSED("{}", "", "do not tell what it is");
  EXPECT_REFUSED("{" + kConfig + "}", "", "do not tell what it is");
  EXPECT_REFUSED("{" + kLayers + "}", "", "do not tell what it is");
  EXPECT_REFUSED("[]", "", "not a JSON object");
  EXPECT_REFUSED("hello", "", "not valid JSON");
  EXPECT_REFUSED(R"({"mediaType":"no type"})", "", "not a media type");
  EXPECT_REFUSED(image("," + kManifests), "", "at once");
}

TEST(Manifest, ParametersAndCaseOfTheContentTypeAreNotPartOfIt) {
  for (const std::string& header :
       {kOciManifest + "; charset=utf-8", kOciManifest + ";charset=utf-8", " " + kOciManifest + " ;x=y;z",
        std::string("Application/vnd.OCI.image.manifest.v1+JSON")}) {
    const auto manifest = Manifest::parse(image(typed(kOciManifest)), header);
    ASSERT_TRUE(manifest) << header;
    EXPECT_EQ(manifest->media_type(), kOciManifest);
  }
  for (const std::string_view bad : {"x", "/", "a/", "/b", "a/b/c", "a b/c", "a/b, c/d", "a/b\r\nX: y", "a/\xc3\xa4"})
    EXPECT_REFUSED("x", bad, "is not a media type");
  EXPECT_REFUSED("x", "a/" + std::string(300, 'b'), "is not a media type");
}

TEST(Manifest, ThatIsAnIndexAndAnImageAtOnceIsRefused) {  // CVE-2021-41190
  for (const std::string& type : {kOciManifest, kDockerManifest, kOciIndex, kDockerList, std::string()}) {
    EXPECT_REFUSED(image("," + kManifests), type, "at once");
    EXPECT_REFUSED(index("," + kConfig), type, "at once");
    EXPECT_REFUSED(index("," + kLayers), type, "at once");
    EXPECT_REFUSED(index(R"(,"layers":null)"), type, "at once");
    EXPECT_REFUSED(index(R"(,"layers":[])"), type, "at once");
    EXPECT_REFUSED(image(R"(,"manifests":[])"), type, "at once");
  }
  EXPECT_REFUSED(index(), kOciManifest, "only an index");
  EXPECT_REFUSED(image(), kOciIndex, "no `manifests`");
}

TEST(Manifest, WhoseMediaTypeIsNotItsContentTypeIsRefused) {
  EXPECT_REFUSED(image(typed(kDockerManifest)), kOciManifest, "Content-Type");
  EXPECT_REFUSED(image(typed(kOciIndex)), kOciManifest, "Content-Type");
  EXPECT_REFUSED(index(typed(kOciManifest)), kOciIndex, "Content-Type");
  EXPECT_REFUSED(image(typed("application/x")), kOciManifest, "Content-Type");
  EXPECT_REFUSED(image(typed(kOciManifest)), "application/x", "Content-Type");
  EXPECT_REFUSED(R"({"mediaType":")" + kOciIndex + "\"}", "application/x", "Content-Type");
  EXPECT_REFUSED(image(typed(kOciManifest + ";a=b")), kOciManifest, "Content-Type");
  EXPECT_REFUSED(image(R"(,"mediaType":5)"), kOciManifest, "mediaType must be a string");
}

TEST(Manifest, OfAKnownTypeThatIsNotOneJsonObjectIsRefused) {
  for (const std::string& type : {kOciManifest, kDockerManifest, kOciIndex, kDockerList}) {
    EXPECT_REFUSED("", type, "empty");
    for (const std::string_view body : {"[]", "null", "1", "\"x\"", "true", "[{}]"})
      EXPECT_REFUSED(body, type, "not a JSON object");
    for (const std::string& body :
         {std::string("{"), std::string("x"), std::string("{}x"), std::string("{} {}"), std::string("{,}"),
          std::string("{'a':1}"), std::string("{\"a\":1,}"), std::string("// c\n{}"), std::string("{\"a\":01}"),
          std::string("{\"a\":NaN}"), std::string("{\"a\":\"\n\"}"), std::string("{\"a\":\"\\ud800\"}"),
          std::string("{\"a\":1e999}"), image() + "]", image() + image()})
      EXPECT_REFUSED(body, type, "not valid JSON");
    EXPECT_REFUSED(image() + std::string("\0", 1), type, "NUL");
    EXPECT_REFUSED(image() + std::string("\0{}", 3), type, "NUL");
    EXPECT_REFUSED("\xef\xbb\xbf" + image(), type, "byte order mark");
    EXPECT_REFUSED("\xff\xfe{\0}\0", type, "not valid JSON");
  }
}

TEST(Manifest, WithInvalidUtf8IsRefused) {
  for (const std::string_view bad : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x28\xa1"}) {
    EXPECT_REFUSED(image(fmt::format(R"(,"x":"{}")", bad)), kOciManifest, "not valid UTF-8");
    EXPECT_REFUSED(index(fmt::format(R"(,"{}":1)", bad)), kOciIndex, "not valid UTF-8");
  }
  EXPECT_TRUE(Manifest::parse(image(",\"annotations\":{\"\xc3\xa4\":\"\xf0\x9f\x9a\xa2\"}"), kOciManifest));
}

TEST(Manifest, WithAKeyTwiceAnywhereIsRefused) {
  const std::vector<std::string> more = {
      R"(,"schemaVersion":2)",
      R"(,"x":1,"x":1)",
      R"(,"x":1,"\u0078":1)",
      R"(,"x":{"a":{"b":1,"c":2,"b":3}})",
      R"(,"x":[[{"a":1,"a":1}]])",
      R"(,"annotations":{"k":"1","k":"2"})",
      R"(,"":1,"":2)",
      "," + kConfig,
      R"(,"subject":null,"subject":)" + descriptor(kOciManifest, 'd'),
      R"(,"subject":)" + descriptor(kOciManifest, 'd', R"(,"digest":")" + digest('e') + "\""),
  };
  for (const std::string& m : more) {
    EXPECT_REFUSED(image(m), kOciManifest, "twice in one object");
    EXPECT_REFUSED(image(m), "application/x", "twice in one object");
  }
  EXPECT_TRUE(Manifest::parse(image(R"(,"x":{"a":1,"b":{"a":1}},"y":{"a":1})"), kOciManifest));
}

TEST(Manifest, WithAKnownKeyInAnotherCaseIsRefused) {  // Go's encoding/json would read it as the known one
  for (const std::string& m :
       {std::string(R"(,"Layers":[])"), std::string(R"(,"MANIFESTS":[])"), std::string(R"(,"mediatype":"x")"),
        std::string(",\"layer\xc5\xbf\":[]"), std::string(R"(,"manife\u017fts":[])")})
    EXPECT_REFUSED(image(m), kOciManifest, "some readers take");
  EXPECT_REFUSED(index(R"(,"subject":)" + descriptor(kOciManifest, 'd', R"(,"Digest":"x")")), kOciIndex,
                 "subject has the key 'Digest'");
  EXPECT_TRUE(Manifest::parse(image(R"(,"annotations":{"Layers":"x","layers":"y"},"x":{"Digest":1})"), kOciManifest));
}

TEST(Manifest, NestingIsBounded) {
  const auto nested = [](std::size_t levels, std::string_view open, std::string_view close) {
    std::string out = R"(,"x":)";
    for (std::size_t i = 0; i < levels; ++i) out += open;
    out += "1";
    for (std::size_t i = 0; i < levels; ++i) out += close;
    return out;
  };
  EXPECT_TRUE(Manifest::parse(image(nested(31, "[", "]")), kOciManifest));
  EXPECT_TRUE(Manifest::parse(image(nested(31, R"({"a":)", "}")), kOciManifest));
  EXPECT_REFUSED(image(nested(32, "[", "]")), kOciManifest, "deeper than 32");
  EXPECT_REFUSED(image(nested(32, R"({"a":)", "}")), kOciManifest, "deeper than 32");
  EXPECT_REFUSED(image(nested(500'000, "[", "]")), kOciManifest, "deeper than 32");
  EXPECT_REFUSED(image(nested(500'000, R"({"":)", "}")), "application/x", "deeper than 32");
  EXPECT_REFUSED(std::string(4'000'000, '['), kOciManifest, "not valid JSON");
}

TEST(Manifest, SizeIsBounded) {
  std::string body = image();
  body.resize(kMaxManifestBytes, ' ');
  EXPECT_TRUE(Manifest::parse(body, kOciManifest));
  body.push_back(' ');
  refusal(body, kOciManifest, ErrorKind::kTooLarge);
  refusal(body, "application/x", ErrorKind::kTooLarge);
  refusal(body, "", ErrorKind::kTooLarge);
}

TEST(Manifest, NumbersOfPartsAreBounded) {
  const auto list = [](std::size_t count, std::string_view item) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out.append(i ? "," : "").append(item);
    return out;
  };
  const std::string entry = descriptor(kOciManifest, 'a');
  const auto index_of = [&](std::size_t count) {
    return R"({"schemaVersion":2,"manifests":[)" + list(count, entry) + "]}";
  };
  const auto full = Manifest::parse(index_of(kMaxManifestDescriptors), kOciIndex);
  ASSERT_TRUE(full) << full.error().message();
  EXPECT_EQ(full->manifests().size(), kMaxManifestDescriptors);
  EXPECT_EQ(full->manifest_children().size(), 1U);
  EXPECT_REFUSED(index_of(kMaxManifestDescriptors + 1), kOciIndex, "more than 10000 descriptors");

  const auto annotations = [](std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += fmt::format("{}\"{}\":\"\"", i ? "," : "", i);
    return R"(,"annotations":{)" + out + "}";
  };
  EXPECT_TRUE(Manifest::parse(image(annotations(10'000)), kOciManifest));
  EXPECT_REFUSED(image(annotations(kMaxManifestOpenKeys + 1)), kOciManifest, "more than 16384 keys");
  EXPECT_REFUSED(image(annotations(10'000) + R"(,"subject":)" + descriptor(kOciManifest, 'd', annotations(6'385))),
                 kOciManifest, "more than 16384 annotations");
  const auto urls = [&](std::size_t count) {
    return image(R"(,"subject":)" + descriptor(kOciManifest, 'd', R"(,"urls":[)" + list(count, R"("u")") + "]"));
  };
  EXPECT_TRUE(Manifest::parse(urls(kMaxManifestUrls), kOciManifest));
  EXPECT_REFUSED(urls(kMaxManifestUrls + 1), kOciManifest, "more than 4096 urls");
}

TEST(Manifest, OfSchemaVersionOtherThan2IsRefused) {
  for (const std::string_view version :
       {"1", "3", "2.0", "\"2\"", "-2", "null", "[2]", "2e0", "18446744073709551616"}) {
    refusal(fmt::format(R"({{"schemaVersion":{},{},{}}})", version, kConfig, kLayers), kOciManifest);
    refusal(fmt::format(R"({{"schemaVersion":{},{}}})", version, kManifests), kOciIndex);
  }
  EXPECT_REFUSED("{" + kConfig + "," + kLayers + "}", kOciManifest, "schemaVersion");
}

TEST(Manifest, OfSchema1IsRefusedUnderAnyType) {
  const std::string schema1 = R"({"schemaVersion":1,"name":"a","tag":"b","fsLayers":[{"blobSum":"x"}],"history":[]})";
  for (const std::string_view type : {media_type::kDockerSchema1, media_type::kDockerSchema1Signed,
                                      std::string_view("application/json"), std::string_view(), media_type::kOciIndex,
                                      std::string_view("application/vnd.docker.distribution.manifest.V1+json; a=b")})
    EXPECT_REFUSED(schema1, type, "schema 1 are not supported");
  EXPECT_REFUSED("not json", media_type::kDockerSchema1, "schema 1 are not supported");
  EXPECT_REFUSED("{" + typed(media_type::kDockerSchema1).substr(1) + "}", "", "schema 1 are not supported");
}

TEST(Manifest, WithABadDescriptorIsRefusedNamingThePlace) {
  struct Case {
    std::string part;
    std::string reason;
  };
  const std::string type = R"("mediaType":"a/b",)";
  const std::string good = R"("digest":")" + digest('a') + "\"";
  const std::vector<Case> cases = {
      {"{" + good + R"(,"size":1})", "mediaType is missing"},
      {R"({"mediaType":"",)" + good + R"(,"size":1})", "mediaType is missing"},
      {R"({"mediaType":1,)" + good + R"(,"size":1})", "mediaType must be a string"},
      {R"({"mediaType":")" + std::string(256, 'a') + "\"," + good + R"(,"size":1})", "mediaType is too long"},
      {"{" + type + R"("size":1})", "digest is missing"},
      {"{" + type + R"("digest":null,"size":1})", "digest is missing"},
      {"{" + type + R"("digest":{},"size":1})", "digest must be a string"},
      {"{" + type + R"("digest":"sha256:../../etc/passwd","size":1})", "digest is wrong"},
      {"{" + type + R"("digest":"sha256:)" + std::string(64, 'A') + R"(","size":1})", "upper-case"},
      {"{" + type + good + "}", "size is missing"},
      {"{" + type + good + R"(,"size":-1})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":1.5})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":1e3})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":"1"})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":true})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":9223372036854775808})", "larger than 2^63 - 1"},
      {"{" + type + good + R"(,"size":99999999999999999999999})", "size must be a whole number"},
      {"{" + type + good + R"(,"size":1,"annotations":{"a":1}})", "annotations['a'] must be a string"},
      {"{" + type + good + R"(,"size":1,"annotations":[]})", "annotations must be an object"},
      {"{" + type + good + R"(,"size":1,"urls":{}})", "urls must be an array"},
      {"{" + type + good + R"(,"size":1,"urls":[1]})", "urls must be a string"},
      {"{" + type + good + R"(,"size":1,"platform":"linux"})", "platform must be an object"},
      {"{" + type + good + R"(,"size":1,"platform":{"os":[]}})", "os must be a string"},
      {"\"" + digest('a') + "\"", " must be an object"},
      {"[]", " must be an object"},
      {"1", " must be an object"},
  };
  const std::string fine = descriptor("a/b", 'a');
  for (const Case& c : cases) {
    EXPECT_REFUSED(R"({"schemaVersion":2,"config":)" + c.part + "," + kLayers + "}", kOciManifest, "manifest: config");
    EXPECT_REFUSED(R"({"schemaVersion":2,"config":)" + c.part + "," + kLayers + "}", kOciManifest, c.reason);
    EXPECT_REFUSED(image(R"(,"subject":)" + c.part), kOciManifest, "manifest: subject");
    EXPECT_REFUSED(R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[)" + fine + "," + c.part + "]}", kDockerManifest,
                   "manifest: layers[1]");
    EXPECT_REFUSED(R"({"schemaVersion":2,"manifests":[)" + fine + "," + fine + "," + c.part + "]}", kOciIndex,
                   "manifest: manifests[2]");
  }
  EXPECT_REFUSED(R"({"schemaVersion":2,"manifests":[null]})", kOciIndex, "manifests[0] must be an object");
  EXPECT_REFUSED(R"({"schemaVersion":2,"manifests":{}})", kOciIndex, "manifests must be an array");
  EXPECT_REFUSED(R"({"schemaVersion":2,"layers":[]})", kOciManifest, "no `config`");
  EXPECT_REFUSED(R"({"schemaVersion":2,"config":null,"layers":[]})", kOciManifest, "no `config`");
  EXPECT_REFUSED(image(R"(,"annotations":{"a":{}})"), kOciManifest, "annotations['a'] must be a string");
}

TEST(Manifest, LargestSizeIsTaken) {
  const auto manifest =
      Manifest::parse(R"({"schemaVersion":2,"manifests":[{"mediaType":"a/b","size":9223372036854775807,"digest":")" +
                          digest('a') + "\"}]}",
                      kOciIndex);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->manifests()[0].size, 9223372036854775807U);
}

TEST(Manifest, NullIsAsGoodAsAbsent) {
  const auto empty = Manifest::parse(R"({"schemaVersion":2,"manifests":null})", kOciIndex);
  ASSERT_TRUE(empty) << empty.error().message();
  EXPECT_TRUE(empty->manifests().empty());
  EXPECT_TRUE(Manifest::parse(image(R"(,"subject":null,"annotations":null,"artifactType":null,"mediaType":null)"),
                              kOciManifest));
  EXPECT_TRUE(Manifest::parse(R"({"schemaVersion":2,"manifests":[)" +
                                  descriptor("a/b", 'a', R"(,"urls":null,"platform":null,"annotations":{"x":null})") +
                                  "]}",
                              kOciIndex));
}

TEST(Manifest, UnknownMembersAreLeftAlone) {
  EXPECT_TRUE(Manifest::parse(
      image(R"(,"x":{"layers":[1],"digest":5},"blobs":[1,{"digest":2}],"fsLayers":3,"y":[null,true,1.5,-1])"),
      kOciManifest));
  EXPECT_TRUE(Manifest::parse(R"({"schemaVersion":2,"manifests":[)" +
                                  descriptor("a/b", 'a', R"(,"data":"e30=","size2":-1,"x":{"digest":1})") + "]}",
                              kOciIndex));
}

TEST(Manifest, OfAKnownTypeMayHaveAMemberThatOnlyOtherTypesKnow) {
  for (const std::string_view more : {R"(,"blobs":{})", R"(,"blobs":"x")", R"(,"fsLayers":{})", R"(,"signatures":[])"})
    EXPECT_TRUE(Manifest::parse(image(more), kOciManifest)) << more;
}

TEST(Manifest, ForeignLayersWithUrlsNeedNotBePushed) {
  const std::string urls = R"(,"urls":["https://example.com/x"])";
  const std::string layers = descriptor(media_type::kDockerForeignLayer, '1', urls) + "," +
                             descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", '2', urls) +
                             "," + descriptor(media_type::kDockerForeignLayer, '3') + "," +
                             descriptor(media_type::kOciLayerGzip, '4', urls) + "," +
                             descriptor(media_type::kDockerForeignLayer, '5', R"(,"urls":[])");
  const auto manifest =
      Manifest::parse(R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[)" + layers + "]}", kDockerManifest);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->blob_children(), (std::vector{D('3'), D('4'), D('5'), D('c')}));
  EXPECT_EQ(manifest->optional_children(), (std::vector{D('1'), D('2')}));
}

TEST(Manifest, OfABuildkitCacheHasBlobsForChildren) {
  const auto manifest =
      Manifest::parse(R"({"schemaVersion":2,"manifests":[)" + descriptor(media_type::kOciLayerGzip, '1') + "," +
                          descriptor("application/vnd.buildkit.cacheconfig.v0", '2') + "," +
                          descriptor(kOciManifest, '3') + "," + descriptor("application/x", '4') + "]}",
                      kOciIndex);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->blob_children(), (std::vector{D('1'), D('2')}));
  EXPECT_EQ(manifest->manifest_children(), (std::vector{D('3'), D('4')}));
}

TEST(Manifest, ChildrenAreListedOnce) {
  const std::string layer = descriptor(media_type::kOciLayerGzip, 'c');
  const auto manifest =
      Manifest::parse(R"({"schemaVersion":2,)" + kConfig + R"(,"layers":[)" + layer + "," + layer + "]}", kOciManifest);
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->layers().size(), 2U);
  EXPECT_EQ(manifest->blob_children(), (std::vector{D('c')}));
}

TEST(Manifest, OfAnyOtherTypeIsStoredAsItIs) {
  for (const std::string& body :
       {std::string("hello"), std::string("{"), std::string("{}"), std::string("[]"), std::string("\0\xff", 2),
        std::string(R"({"a":1,"a":2,"schemaVersion":1})"), std::string(1000, '['),
        std::string(R"({"annotations":5,"mediaType":"other/x","Layers":[]})")}) {
    const auto manifest = Manifest::parse(body, "application/vnd.example+json; v=1");
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_EQ(manifest->media_type(), "application/vnd.example+json");
    EXPECT_EQ(manifest->kind(), ManifestKind::kOpaque);
    EXPECT_FALSE(manifest->subject());
    EXPECT_FALSE(manifest->config());
    EXPECT_TRUE(manifest->blob_children().empty());
    EXPECT_TRUE(manifest->manifest_children().empty());
    EXPECT_TRUE(manifest->optional_children().empty());
  }
}

TEST(Manifest, OpaqueWithLinksGivesThoseThatAreWellFormedAndRequiresNone) {
  const std::string body = R"({"artifactType":"a/t","subject":)" + descriptor(kOciManifest, 'd') +
                           R"(,"config":{},"layers":[)" + descriptor("x/y", '1') +
                           R"(,{"digest":"bad"},7],"manifests":[)" + descriptor("x/y", '2') + R"(],"blobs":[)" +
                           descriptor("x/y", '3') + R"(],"annotations":{"k":"v"}})";
  const auto manifest = Manifest::parse(body, "application/vnd.oci.artifact.manifest.v1+json");
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->kind(), ManifestKind::kOpaque);
  ASSERT_TRUE(manifest->subject());
  EXPECT_EQ(manifest->subject()->digest, D('d'));
  EXPECT_EQ(manifest->artifact_type(), "a/t");
  EXPECT_TRUE(manifest->blob_children().empty());
  EXPECT_TRUE(manifest->manifest_children().empty());
  EXPECT_EQ(manifest->optional_children(), (std::vector{D('1'), D('2'), D('3')}));

  const auto malformed = Manifest::parse(R"({"subject":{"digest":"x"}})", "application/x");
  ASSERT_TRUE(malformed);
  EXPECT_FALSE(malformed->subject());
}

TEST(Manifest, IsListedAsAReferrerWithItsArtifactTypeAndAnnotations) {
  const std::string more =
      R"(,"annotations":{"org.example":"\"x\""},"subject":)" + descriptor(kOciManifest, 'd') + R"(,"x":1)";
  const auto by_config = Manifest::parse(image(more), kOciManifest);
  ASSERT_TRUE(by_config);
  const Descriptor entry = by_config->referrer_descriptor(D('e'), 99);
  EXPECT_EQ(entry.artifact_type, media_type::kOciConfig);
  const auto json = nlohmann::json::parse(entry.to_json());
  EXPECT_EQ(json, nlohmann::json::parse(R"({"mediaType":")" + kOciManifest + R"(","digest":")" + digest('e') +
                                        R"(","size":99,"artifactType":")" + std::string(media_type::kOciConfig) +
                                        R"(","annotations":{"org.example":"\"x\""}})"));

  EXPECT_EQ(Manifest::parse(image(more + R"(,"artifactType":"a/t")"), kOciManifest)->artifact_type(), "a/t");
  EXPECT_EQ(Manifest::parse(image(more + R"(,"artifactType":"")"), kOciManifest)->artifact_type(),
            media_type::kOciConfig);
  EXPECT_EQ(Manifest::parse(index(more + R"(,"artifactType":"a/t")"), kOciIndex)->artifact_type(), "a/t");
  const auto bare = Manifest::parse(index(more), kOciIndex)->referrer_descriptor(D('e'), 99);
  EXPECT_FALSE(nlohmann::json::parse(bare.to_json()).contains("artifactType"));
}

}  // namespace
}  // namespace wherry
