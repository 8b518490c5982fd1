// The chunked transfer coding, strictly (RFC 9112 7.1). Ours because llhttp 8 neither shows nor bounds chunk
// extensions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/base/error.h"

namespace wherry::http {

/// Decodes a chunked body as its bytes arrive. Pure. Refused (kInvalid): sizes that are not 1 to 15 hexadecimal digits,
/// line ends that are not CRLF, control bytes and more than kMaxExtensionBytes of extensions a chunk, more than
/// kMaxTrailerBytes of trailer fields (which are checked for form and dropped).
class ChunkedDecoder {
 public:
  static constexpr std::size_t kMaxExtensionBytes = 256;
  static constexpr std::size_t kMaxTrailerBytes = 4096;

  struct Step {
    std::size_t consumed = 0;  ///< Bytes of `in` that are done with.
    std::size_t produced = 0;  ///< Bytes written to `out`.
  };
  /// Decodes from `in` to `out` until either is used up or the body ended.
  Result<Step> decode(std::string_view in, std::span<char> out);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State {
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kDone
  };
  Result<void> feed(char c);

  State state_ = State::kSize;
  std::uint64_t left_ = 0;
  std::size_t digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_name_bytes_ = 0;
};

}  // namespace wherry::http
