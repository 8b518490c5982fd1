#include "common/upstream/challenge.h"

#include "common/base/lower_case.h"
#include "common/http/request.h"

namespace wherry {
namespace {

/// A field's text with what is still to be read at its front.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  void skip(std::string_view these) {
    while (!text_.empty() && these.find(text_.front()) != std::string_view::npos) text_.remove_prefix(1);
  }
  std::string_view token() {
    std::size_t length = 0;
    while (length < text_.size() && http::is_token_char(text_[length])) ++length;
    const auto token = text_.substr(0, length);
    text_.remove_prefix(length);
    return token;
  }
  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// A token or a quoted string; nothing when a quote is not closed.
  std::optional<std::string> value() {
    if (!take('"')) return std::string(token());
    std::string value;
    while (!text_.empty()) {
      char c = text_.front();
      text_.remove_prefix(1);
      if (c == '"') return value;
      if (c == '\\' && !text_.empty()) {
        c = text_.front();
        text_.remove_prefix(1);
      }
      value.push_back(c);
    }
    return std::nullopt;
  }
  std::string_view rest() const { return text_; }
  void go_back(std::string_view rest) { text_ = rest; }

 private:
  std::string_view text_;
};

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view field) {
  std::vector<Challenge> all;
  if (field.size() > kMaxChallengeBytes) return all;
  Reader reader(field);
  while (true) {
    reader.skip(" \t,");
    const auto scheme = reader.token();
    if (scheme.empty()) return all;
    Challenge challenge;
    challenge.scheme = lower_case(scheme);
    while (true) {  // parameters, until a name without '=' starts the next challenge
      reader.skip(" \t,");
      const auto before = reader.rest();
      const auto name = lower_case(reader.token());
      reader.skip(" \t");
      if (name.empty() || !reader.take('=')) {
        reader.go_back(before);
        break;
      }
      reader.skip(" \t");
      auto value = reader.value();
      if (!value) return all;
      if (name == "realm") challenge.realm = std::move(*value);
      if (name == "service") challenge.service = std::move(*value);
      if (name == "scope") challenge.scope = std::move(*value);
    }
    all.push_back(std::move(challenge));
  }
}

std::optional<Challenge> choose_challenge(const std::vector<std::string_view>& fields) {
  std::optional<Challenge> basic;
  for (const auto field : fields) {
    for (Challenge& challenge : parse_challenges(field)) {
      if (challenge.scheme == "bearer" && !challenge.realm.empty()) return std::move(challenge);
      if (challenge.scheme == "basic" && !basic) basic = std::move(challenge);
    }
  }
  return basic;
}

}  // namespace wherry
