#include "common/base/base64.h"

#include <gtest/gtest.h>

namespace wherry {
namespace {

TEST(Base64, TheVectorsOfTheStandardGoBothWays) {  // RFC 4648 10
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(plain), encoded);
    EXPECT_EQ(from_base64(encoded), plain);
  }
}

TEST(Base64, AnyByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
}

TEST(Base64, WhatIsNotBase64IsRefused) {
  for (const char* text : {"Zg=", "Zg", "Z===", "Zm9v\n", "Zm 9v", "Zm9-", "====", "Z=g="})
    EXPECT_FALSE(from_base64(text)) << text;
}

}  // namespace
}  // namespace wherry
