#include "common/kv/overlay.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace wherry::kv {
namespace {

using Model = std::map<std::string, std::optional<std::string>>;  // nothing: erased

std::vector<std::pair<std::string, std::optional<std::string>>> range_of(const Model& model, const std::string& prefix,
                                                                         const std::string& after) {
  std::vector<std::pair<std::string, std::optional<std::string>>> found;
  for (const auto& [key, value] : model)
    if (key.starts_with(prefix) && key > after) found.emplace_back(key, value);
  return found;
}

std::vector<std::pair<std::string, std::optional<std::string>>> range_of(const Overlay& overlay,
                                                                         const std::string& prefix,
                                                                         const std::string& after) {
  std::vector<std::pair<std::string, std::optional<std::string>>> found;
  for (const Overlay::Row* row : overlay.range(prefix, after))
    found.emplace_back(row->key, row->erased ? std::nullopt : std::optional(std::string(row->value)));
  return found;
}

void expect_same(const Overlay& overlay, const Model& model) {
  ASSERT_EQ(overlay.bytes() == 0, model.empty());
  for (const auto& [key, value] : model) {
    const Overlay::Row* row = overlay.find(key);
    ASSERT_NE(row, nullptr) << key;
    ASSERT_EQ(row->erased, !value.has_value()) << key;
    if (value) {
      ASSERT_EQ(row->value, *value) << key;
    }
  }
  for (const std::string prefix : {"", "a", "b1", "z"})
    for (const std::string after : {"", "a3", "b", "b15"})
      ASSERT_EQ(range_of(overlay, prefix, after), range_of(model, prefix, after)) << prefix << " after " << after;
}

TEST(OverlayTest, HoldsWhatTheBodiesThatWereKeptWroteAndNothingElse) {
  std::mt19937 random(7);
  const auto below = [&](int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random); };
  Overlay overlay;
  Model kept;
  for (int body = 0; body < 3000; ++body) {
    overlay.begin_body();
    Model present = kept;
    const int writes = below(6);
    for (int i = 0; i < writes; ++i) {
      const std::string key = std::string(1, "abc"[below(3)]) + std::to_string(below(20));
      if (below(4) == 0) {
        overlay.erase(key);
        present[key] = std::nullopt;
      } else {
        const std::string value(static_cast<std::size_t>(below(300)), static_cast<char>('a' + below(26)));
        overlay.put(key, value);
        present[key] = value;
      }
    }
    EXPECT_EQ(overlay.body_wrote(), writes > 0);
    expect_same(overlay, present);
    if (below(3) == 0)
      overlay.undo_body();
    else
      kept = present;
    expect_same(overlay, kept);
    if (below(50) == 0) {
      overlay.clear();
      kept.clear();
      expect_same(overlay, kept);
    }
  }
}

TEST(OverlayTest, AKeyThatWasWrittenAgainIsOneRow) {
  Overlay overlay;
  overlay.begin_body();
  overlay.put("key", "first");
  overlay.begin_body();
  overlay.put("key", "second");
  ASSERT_EQ(overlay.range({}, {}).size(), 1U);
  EXPECT_EQ(overlay.find("key")->value, "second");
  overlay.undo_body();
  EXPECT_EQ(overlay.find("key")->value, "first");
}

}  // namespace
}  // namespace wherry::kv
