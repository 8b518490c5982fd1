#include "master/audit/chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/sha256.h"
#include "master/audit/event.h"

namespace wherry::audit {
namespace {

constexpr std::size_t kHashDigits = 64;

bool take(std::string_view& text, std::string_view front) {
  if (!text.starts_with(front)) return false;
  text.remove_prefix(front.size());
  return true;
}

}  // namespace

const std::string kNoHash(kHashDigits, '0');

std::string hash_of(std::string_view line) { return to_hex(sha256(line)); }

std::optional<LineHead> head_of(std::string_view line) {
  if (!take(line, R"({"seq":)")) return std::nullopt;
  const auto sequence = parse_decimal(line.substr(0, line.find(',')));
  if (!sequence) return std::nullopt;
  line.remove_prefix(line.find(','));
  if (!take(line, R"(,"prev":")") || line.size() < kHashDigits) return std::nullopt;
  const std::string_view hash = line.substr(0, kHashDigits);
  line.remove_prefix(kHashDigits);
  const bool is_hash =
      std::all_of(hash.begin(), hash.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
  if (!is_hash || !line.starts_with("\",")) return std::nullopt;
  return LineHead{*sequence, hash};
}

Chain::Chain() : hash_(kNoHash) {}

Chain Chain::from(std::uint64_t sequence) {
  Chain chain;
  chain.next_ = sequence;
  if (sequence != 1) chain.hash_.clear();
  return chain;
}

std::optional<std::string> Chain::add(std::string_view line) {
  const auto head = head_of(line);
  if (!head) return "does not begin with \"seq\" and \"prev\" of an audit event";
  if (head->sequence != next_) return fmt::format("has the sequence {} where {} follows", head->sequence, next_);
  if (!hash_.empty() && head->previous_hash != hash_)
    return fmt::format("does not name the line before it: \"prev\" is {}, the hash of that line is {}",
                       head->previous_hash, hash_);
  hash_ = hash_of(line);
  ++next_;
  return std::nullopt;
}

std::string Chain::extend(std::string_view body) {
  WHERRY_CHECK(!hash_.empty());
  std::string line = line_of(next_, hash_, body);
  hash_ = hash_of(line);
  ++next_;
  return line;
}

}  // namespace wherry::audit
