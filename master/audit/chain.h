// Chain: each line of the audit log names the one before it by its hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wherry::audit {

/// The hash that the first line of all names: 64 zeros.
extern const std::string kNoHash;

/// Lower-case hex SHA-256 of a line without its newline.
std::string hash_of(std::string_view line);

/// What a line begins with.
struct LineHead {
  std::uint64_t sequence = 0;
  std::string_view previous_hash;
};

/// Reads `{"seq":N,"prev":"<64 hex digits>",`; nothing when it begins otherwise. O(1).
std::optional<LineHead> head_of(std::string_view line);

/// Follows lines, from the first of all or from where they begin. What is written to and what is verified use the same.
class Chain {
 public:
  /// At the first line of all.
  Chain();
  /// In the middle: the next line has this sequence, and what it says of the line before it is believed. At 1 that is
  /// the first line of all.
  static Chain from(std::uint64_t sequence);

  /// Goes on by one line; what is wrong with it when it does not fit (then nothing changed). One SHA-256 of the line.
  std::optional<std::string> add(std::string_view line);
  /// Goes on by a line that is written now: gives it, without the newline.
  std::string extend(std::string_view body);

  std::uint64_t next_sequence() const { return next_; }
  /// Of the last line; empty when it is not known yet.
  const std::string& last_hash() const { return hash_; }

 private:
  std::uint64_t next_ = 1;
  std::string hash_;
};

}  // namespace wherry::audit
