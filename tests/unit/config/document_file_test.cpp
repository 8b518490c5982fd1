#include "common/config/document_file.h"

#include <gtest/gtest.h>

namespace wherry {
namespace {

TEST(DocumentFile, YamlAndJsonAreTheSameDocument) {
  const auto yaml =
      parse_documents("name: p\nnumber: 5\nhalf: 0.5\nyes: true\nno: null\nquoted: \"5\"\nlist: [a, 'true']\n", "f");
  ASSERT_TRUE(yaml);
  EXPECT_EQ(yaml->at(0), R"({"name":"p","number":5,"half":0.5,"yes":true,"no":null,"quoted":"5","list":["a","true"]})");
  const auto json = parse_documents(*yaml->begin(), "f");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->at(0), yaml->at(0));
}

TEST(DocumentFile, SeveralDocumentsStandInOneFile) {
  const auto documents = parse_documents("a: 1\n---\nb: 007\n---\n", "f");
  ASSERT_TRUE(documents);
  ASSERT_EQ(documents->size(), 2u);
  EXPECT_EQ(documents->at(1), R"({"b":"007"})");
}

TEST(DocumentFile, RefusesWhatIsBrokenOrTooLarge) {
  EXPECT_FALSE(parse_documents("a: [", "f"));
  EXPECT_FALSE(parse_documents(std::string(100, '[') + std::string(100, ']'), "f"));
  std::string bomb = "a: &a [1,1,1,1,1,1,1,1,1,1]\n";
  for (char c = 'b'; c < 'i'; ++c)
    bomb += std::string(1, c) + ": &" + c + " [*" + std::string(1, static_cast<char>(c - 1)) + ",*" +
            std::string(1, static_cast<char>(c - 1)) + ",*" + std::string(1, static_cast<char>(c - 1)) + ",*" +
            std::string(1, static_cast<char>(c - 1)) + ",*" + std::string(1, static_cast<char>(c - 1)) + "]\n";
  EXPECT_FALSE(parse_documents(bomb, "f"));
}

}  // namespace
}  // namespace wherry
