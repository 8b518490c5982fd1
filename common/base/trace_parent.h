// TraceParent: the place of a request in a trace that spans servers, as its header says it.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace wherry {

/// The value of a `traceparent` header, or none. A small value: no allocation. Source: W3C Trace Context, 3.2.
class TraceParent {
 public:
  static constexpr std::size_t kBytes = 55;  ///< what is kept of it, of any version

  TraceParent() = default;
  /// Reads a header's value; anything outside the grammar (wrong length, upper case, zeros for an id, version ff) is
  /// none. Of a later version the fields that version 00 knows are kept, and passed on as version 00.
  static TraceParent parse(std::string_view value);

  explicit operator bool() const { return there_; }
  /// To be passed on.
  std::string_view text() const { return there_ ? std::string_view(text_.data(), kBytes) : std::string_view(); }
  /// 32 lower-case hex digits.
  std::string_view trace_id() const { return there_ ? text().substr(3, 32) : std::string_view(); }

 private:
  std::array<char, kBytes> text_{};
  bool there_ = false;
};

}  // namespace wherry
