#include "common/oci/error_body.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace wherry {
namespace {

using nlohmann::json;

TEST(ErrorBody, EveryKindHasItsCodeAndStatus) {
  struct Case {
    ErrorKind kind;
    int status;
    std::string code;
  };
  const std::vector<Case> cases = {
      {ErrorKind::kInvalid, 400, "INVALID"},
      {ErrorKind::kNameInvalid, 400, "NAME_INVALID"},
      {ErrorKind::kDigestInvalid, 400, "DIGEST_INVALID"},
      {ErrorKind::kManifestInvalid, 400, "MANIFEST_INVALID"},
      {ErrorKind::kManifestUnknown, 404, "MANIFEST_UNKNOWN"},
      {ErrorKind::kManifestBlobUnknown, 400, "MANIFEST_BLOB_UNKNOWN"},
      {ErrorKind::kBlobUnknown, 404, "BLOB_UNKNOWN"},
      {ErrorKind::kUploadInvalid, 400, "BLOB_UPLOAD_INVALID"},
      {ErrorKind::kUploadUnknown, 404, "BLOB_UPLOAD_UNKNOWN"},
      {ErrorKind::kRangeInvalid, 416, "RANGE_INVALID"},
      {ErrorKind::kSizeInvalid, 400, "SIZE_INVALID"},
      {ErrorKind::kNameUnknown, 404, "NAME_UNKNOWN"},
      {ErrorKind::kNotFound, 404, "NOT_FOUND"},
      {ErrorKind::kUnauthorized, 401, "UNAUTHORIZED"},
      {ErrorKind::kDenied, 403, "DENIED"},
      {ErrorKind::kUnsupported, 405, "UNSUPPORTED"},
      {ErrorKind::kTooLarge, 413, "SIZE_INVALID"},
      {ErrorKind::kTooManyRequests, 429, "TOOMANYREQUESTS"},
      {ErrorKind::kNoSpace, 507, "UNAVAILABLE"},
      {ErrorKind::kUnavailable, 503, "UNAVAILABLE"},
      {ErrorKind::kUpstream, 502, "UNAVAILABLE"},
      {ErrorKind::kUpstreamFailed, 502, "UNAVAILABLE"},
      {ErrorKind::kUpstreamLimited, 503, "UNAVAILABLE"},
      {ErrorKind::kTimeout, 504, "UNAVAILABLE"},
      {ErrorKind::kClosed, 500, "UNKNOWN"},
      {ErrorKind::kCancelled, 503, "UNAVAILABLE"},
      {ErrorKind::kCorrupt, 500, "UNKNOWN"},
      {ErrorKind::kIo, 500, "UNKNOWN"},
      {ErrorKind::kInternal, 500, "UNKNOWN"},
  };
  ASSERT_EQ(cases.size(), static_cast<std::size_t>(ErrorKind::kInternal) + 1) << "a kind has no line here";
  for (const Case& c : cases) {
    EXPECT_EQ(http_status(c.kind), c.status) << c.code;
    EXPECT_EQ(error_code(c.kind), c.code);
    EXPECT_EQ(json::parse(error_body(Error(c.kind, "x")))["errors"][0]["code"], c.code);
  }
}

TEST(ErrorBody, BadRangeOfAnUploadHasTheUploadsCode) {
  EXPECT_EQ(error_code(ErrorKind::kRangeInvalid, Traffic::kPush), "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(json::parse(error_body(Error(ErrorKind::kRangeInvalid, "x"), Traffic::kPush))["errors"][0]["code"],
            "BLOB_UPLOAD_INVALID");
  EXPECT_EQ(error_code(ErrorKind::kBlobUnknown, Traffic::kPush), "BLOB_UNKNOWN");
}

TEST(ErrorBody, HasTheFormOfTheSpecification) {
  EXPECT_EQ(error_body(Error(ErrorKind::kBlobUnknown, "no such blob")),
            R"({"errors":[{"code":"BLOB_UNKNOWN","message":"no such blob"}]})");
  EXPECT_EQ(error_body(Error(ErrorKind::kDenied, "no").with_detail(R"([{"Action":"pull"}])")),
            R"({"errors":[{"code":"DENIED","message":"no","detail":[{"Action":"pull"}]}]})");
}

TEST(ErrorBody, IsValidJsonWhateverTheMessageHolds) {
  std::string every;
  for (int c = 0; c < 256; ++c) every.push_back(static_cast<char>(c));
  for (const std::string& message : {every, std::string("\"},{\"x\":\""), std::string("\\"), std::string("\xc3\xa4\n"),
                                     std::string("\xff\xfe"), std::string("a\0b", 3)}) {
    const json body = json::parse(error_body(Error(ErrorKind::kInvalid, message)), nullptr, false);
    ASSERT_FALSE(body.is_discarded());
    ASSERT_EQ(body["errors"].size(), 1U);
    EXPECT_EQ(body["errors"][0].size(), 2U);
  }
  EXPECT_EQ(json::parse(error_body(Error(ErrorKind::kInvalid, std::string("\xc3\xa4\n\"\\"))))["errors"][0]["message"],
            "\xc3\xa4\n\"\\");
}

TEST(ErrorBody, FaultsOfOurMachineTellNoPathNoDetailAndNoCause) {
  for (const ErrorKind kind : {ErrorKind::kInternal, ErrorKind::kIo, ErrorKind::kCorrupt, ErrorKind::kNoSpace}) {
    const std::string body = error_body(Error(kind, "open /var/lib/wherry/secret: denied").with_detail("\"/secret\""));
    EXPECT_EQ(body.find("secret"), std::string::npos) << body;
    EXPECT_FALSE(json::parse(body)["errors"][0]["message"].get<std::string>().empty());
  }
  const Error caused =
      Error(ErrorKind::kUnavailable, "try later").with_cause(Error(ErrorKind::kIo, "open /secret: denied"));
  EXPECT_EQ(error_body(caused).find("secret"), std::string::npos);
}

}  // namespace
}  // namespace wherry
