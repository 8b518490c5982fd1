// Chunked bodies: however the bytes come and whatever room there is, the same is decoded or refused; and what is
// chunked by the rules is decoded to what it was. The first two bytes of an input say where it is cut and how much room
// there is.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/http/chunked.h"

namespace {

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  bool done = false;
  bool refused = false;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view in, std::size_t cut, std::size_t room) {
  wherry::http::ChunkedDecoder decoder;
  Decoded decoded;
  std::vector<char> out(room);
  for (const std::size_t end : {std::min(cut, in.size()), in.size()})
    while (!decoder.done()) {
      const auto rest = in.substr(decoded.consumed, end - decoded.consumed);
      const auto step = decoder.decode(rest, out);
      if (!step) {
        WHERRY_CHECK(step.error().kind() == wherry::ErrorKind::kInvalid);
        return {{}, 0, false, true};
      }
      WHERRY_CHECK(step->consumed <= rest.size() && step->produced <= room && step->produced <= step->consumed);
      decoded.body.append(out.data(), step->produced);
      decoded.consumed += step->consumed;
      if (step->consumed == 0) {
        WHERRY_CHECK(rest.empty());  // there was room, so it must have gone on
        break;
      }
    }
  decoded.done = decoder.done();
  WHERRY_CHECK(decoded.done || decoded.consumed == in.size());
  return decoded;
}

/// `body` in chunks of the sizes that its own bytes name.
std::string chunk(std::string_view body) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(body.size(), static_cast<unsigned char>(body[0]) % 20U + 1);
    out.push_back(kDigits[size >> 4]);
    out.push_back(kDigits[size & 15]);
    out.append("\r\n").append(body.substr(0, size)).append("\r\n");
    body.remove_prefix(size);
  }
  return out + "0\r\n\r\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t cut = data[0];
  const std::size_t room = data[1] % 32U + 1;

  const Decoded whole = decode(in, 0, in.size() + 1);
  WHERRY_CHECK(decode(in, cut, in.size() + 1) == whole);
  WHERRY_CHECK(decode(in, cut, room) == whole);
  // What comes after a body that ended is not looked at.
  if (whole.done) WHERRY_CHECK(decode(in.substr(0, whole.consumed), cut, room) == whole);

  const std::string chunked = chunk(in);
  WHERRY_CHECK(decode(chunked, cut, room) == (Decoded{std::string(in), chunked.size(), true, false}));
  return 0;
}
