#include "common/oci/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <unordered_set>
#include <vector>

#include "common/base/bytes.h"

namespace wherry {
namespace {

const std::string kEmptySha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const std::string kAbcSha256 = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const std::string kAbcSha512 =
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(Digest, OfKnownTextsIsThePublishedHash) {  // FIPS 180-4 examples
  EXPECT_EQ(Digest::of(DigestAlgorithm::kSha256, "").to_string(), kEmptySha256);
  EXPECT_EQ(Digest::of(DigestAlgorithm::kSha256, "abc").to_string(), kAbcSha256);
  EXPECT_EQ(Digest::of(DigestAlgorithm::kSha512, "abc").to_string(), kAbcSha512);
  EXPECT_EQ(Digest::of(DigestAlgorithm::kSha256, as_bytes("{}")).to_string(),
            "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
}

TEST(Digest, TextAndBinaryFormsComeBackAsTheyWere) {
  for (const std::string& text : {kEmptySha256, kAbcSha256, kAbcSha512}) {
    const auto digest = Digest::parse(text);
    ASSERT_TRUE(digest) << digest.error().message();
    EXPECT_EQ(digest->to_string(), text);
    EXPECT_EQ(std::string(digest->algorithm_name()) + ":" + digest->hex(), text);
    const std::string binary = digest->binary();
    EXPECT_EQ(binary.size(), 1 + digest->raw().size());
    const auto again = Digest::from_binary(binary);
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *digest);
    EXPECT_EQ(*Digest::from_raw(digest->algorithm(), digest->raw()), *digest);
  }
  EXPECT_EQ(Digest::parse(kAbcSha256)->binary()[0], 1) << "stored: must never change";
  EXPECT_EQ(Digest::parse(kAbcSha512)->binary()[0], 2) << "stored: must never change";
}

TEST(Digest, AnyOtherTextIsRefusedWithItsReason) {
  const std::string hex64(64, 'a');
  const std::string hex128(128, 'a');
  struct Case {
    std::string text;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"", "no ':'"},
      {hex64, "no ':'"},
      {":", "''"},
      {":" + hex64, "''"},
      {"sha256:", "0 characters"},
      {"sha256:" + hex64.substr(1), "63 characters"},
      {"sha256:" + hex64 + "a", "65 characters"},
      {"sha256:" + hex128, "128 characters"},
      {"sha512:" + hex64, "64 characters"},
      {"sha256:" + std::string(63, 'a') + "A", "upper-case hex digit at byte 70"},
      {"sha256:F" + std::string(63, 'a'), "upper-case hex digit at byte 7"},
      {"sha256:" + std::string(63, 'a') + "g", "at byte 70"},
      {"sha256:g" + std::string(63, 'a'), "at byte 7"},
      {"sha256:../../../../../../../../../../../../../../../../../../../../etc/", "no lower-case hex digit"},
      {"sha256:" + std::string(62, 'a') + std::string(1, '\0') + "a", "at byte 69"},
      {"sha256:" + std::string(63, 'a') + "\n", "at byte 70"},
      {" sha256:" + hex64, "not supported"},
      {"SHA256:" + hex64, "not supported"},
      {"sha384:" + std::string(96, 'a'), "not supported"},
      {"md5:" + std::string(32, 'a'), "not supported"},
      {"sha256+b64:" + hex64, "not supported"},
      {"sha256::" + hex64, "65 characters"},
      {"sha256:sha256:" + hex64, "71 characters"},
  };
  for (const Case& c : cases) {
    const auto digest = Digest::parse(c.text);
    ASSERT_FALSE(digest) << c.text;
    EXPECT_EQ(digest.error().kind(), ErrorKind::kDigestInvalid) << c.text;
    EXPECT_NE(digest.error().message().find(c.reason), std::string::npos) << digest.error().message();
    EXPECT_LT(digest.error().message().size(), 250U);
  }
}

TEST(Digest, MessageOfAHugeHostileTextIsShortAndPrintable) {
  const auto digest = Digest::parse(std::string(1 << 20, '\x01') + ":\r\n");
  ASSERT_FALSE(digest);
  EXPECT_LT(digest.error().message().size(), 250U);
  for (const char c : digest.error().message()) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
}

TEST(Digest, BrokenBinaryFormsAreRefused) {
  const std::string good = Digest::parse(kAbcSha256)->binary();
  for (const std::string& bad :
       {std::string(), good.substr(0, 1), good.substr(0, 32), good + "x", '\0' + good.substr(1), '\3' + good.substr(1),
        '\2' + good.substr(1), '\xff' + good.substr(1)}) {
    const auto digest = Digest::from_binary(bad);
    ASSERT_FALSE(digest);
    EXPECT_EQ(digest.error().kind(), ErrorKind::kDigestInvalid);
  }
  EXPECT_FALSE(Digest::from_raw(DigestAlgorithm::kSha512, Digest::parse(kAbcSha256)->raw()));
}

TEST(Digest, OrderIsThatOfTheBinaryForm) {
  std::vector<Digest> digests;
  for (int i = 0; i < 50; ++i) {
    digests.push_back(Digest::of(DigestAlgorithm::kSha256, std::to_string(i)));
    digests.push_back(Digest::of(DigestAlgorithm::kSha512, std::to_string(i)));
  }
  for (const Digest& a : digests)
    for (const Digest& b : digests) {
      EXPECT_EQ(a < b, a.binary() < b.binary());
      EXPECT_EQ(a == b, a.binary() == b.binary());
    }
}

TEST(Digest, HashTellsDigestsApartThatShareMostBytes) {
  std::unordered_set<std::size_t> hashes;
  for (std::size_t byte = 0; byte < 64; ++byte)
    for (int value = 1; value < 256; ++value) {
      std::string raw(64, '\0');
      raw[byte] = static_cast<char>(value);
      hashes.insert(std::hash<Digest>{}(*Digest::from_raw(DigestAlgorithm::kSha512, as_bytes(raw))));
    }
  EXPECT_EQ(hashes.size(), 64U * 255U);
  const Digest abc = Digest::of(DigestAlgorithm::kSha256, "abc");
  EXPECT_EQ(abc.hash(), Digest::parse(kAbcSha256)->hash());
}

TEST(Digest, AlgorithmNamesAreExact) {
  EXPECT_EQ(*parse_algorithm("sha256"), DigestAlgorithm::kSha256);
  EXPECT_EQ(*parse_algorithm("sha512"), DigestAlgorithm::kSha512);
  for (const std::string_view bad : {"", "sha", "sha1", "SHA256", "sha256 ", "sha-256"})
    EXPECT_EQ(parse_algorithm(bad).error().kind(), ErrorKind::kDigestInvalid);
}

}  // namespace
}  // namespace wherry
