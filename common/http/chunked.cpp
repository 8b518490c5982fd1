#include "common/http/chunked.h"

#include <algorithm>
#include <cstring>

#include "common/base/bytes.h"
#include "common/http/request.h"

namespace wherry::http {
namespace {

constexpr std::size_t kMaxSizeDigits = 15;

Error wrong(std::string_view what) { return Error(ErrorKind::kInvalid, "chunked body: {}", what); }

}  // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(std::string_view in, std::span<char> out) {
  Step step;
  while (step.consumed < in.size() && !done()) {
    if (state_ == State::kData) {
      const auto bytes = static_cast<std::size_t>(
          std::min<std::uint64_t>(left_, std::min(in.size() - step.consumed, out.size() - step.produced)));
      if (bytes == 0) return step;
      std::memcpy(out.data() + step.produced, in.data() + step.consumed, bytes);
      step.consumed += bytes;
      step.produced += bytes;
      left_ -= bytes;
      if (left_ == 0) state_ = State::kDataCr;
      continue;
    }
    auto fed = feed(in[step.consumed]);
    if (!fed) return fed.error();
    ++step.consumed;
  }
  return step;
}

Result<void> ChunkedDecoder::feed(char c) {
  const auto control = [&] { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  switch (state_) {
    case State::kSize:
      if (const int digit = hex_value(c); digit >= 0) {
        if (++digits_ > kMaxSizeDigits) return wrong("a size of too many digits");
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
      } else if (digits_ == 0) {
        return wrong("a chunk without a size");
      } else if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (c == ';') {
        state_ = State::kExtension;
        extension_bytes_ = 1;
      } else {
        return wrong("a size that is not hexadecimal");
      }
      return {};
    case State::kExtension:
      if (c == '\r') {
        state_ = State::kSizeLf;
      } else if (control()) {
        return wrong("a control byte in an extension");
      } else if (++extension_bytes_ > kMaxExtensionBytes) {
        return wrong("extensions of more than 256 bytes");
      }
      return {};
    case State::kSizeLf:
      if (c != '\n') return wrong("a line that does not end in CRLF");
      state_ = left_ == 0 ? State::kTrailerName : State::kData;
      digits_ = 0;
      return {};
    case State::kDataCr:
      if (c != '\r') return wrong("data longer than the chunk's size");
      state_ = State::kDataLf;
      return {};
    case State::kDataLf:
      if (c != '\n') return wrong("a line that does not end in CRLF");
      state_ = State::kSize;
      return {};
    case State::kTrailerName:
      if (++trailer_bytes_ > kMaxTrailerBytes) return wrong("too large a trailer");
      if (c == '\r' && trailer_name_bytes_ == 0) {
        state_ = State::kTrailerLf;
      } else if (c == ':' && trailer_name_bytes_ > 0) {
        state_ = State::kTrailerValue;
      } else if (is_token_char(c)) {
        ++trailer_name_bytes_;
      } else {
        return wrong("a trailer that is not header fields");
      }
      return {};
    case State::kTrailerValue:
      if (++trailer_bytes_ > kMaxTrailerBytes) return wrong("too large a trailer");
      if (c == '\r')
        state_ = State::kTrailerLf;
      else if (control())
        return wrong("a control byte in a trailer");
      return {};
    case State::kTrailerLf:
      if (c != '\n') return wrong("a line that does not end in CRLF");
      state_ = trailer_name_bytes_ == 0 ? State::kDone : State::kTrailerName;
      trailer_name_bytes_ = 0;
      return {};
    case State::kData:
    case State::kDone: break;
  }
  return {};
}

}  // namespace wherry::http
