#include "bench/load/operations.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "common/async/scope.h"
#include "common/oci/manifest.h"

namespace wherry::bench {
namespace {

constexpr const char* kManifestAccept =
    "Accept: application/vnd.oci.image.manifest.v1+json\r\n"
    "Accept: application/vnd.docker.distribution.manifest.v2+json\r\n";
constexpr const char* kNoBody = "Content-Length: 0\r\n";

Error unwanted(std::string_view what, int status) {
  return Error(ErrorKind::kUpstream, "{} answered {}", what, status);
}

/// One GET whose body has to have a digest, or is dropped when that is empty.
Task<Result<Answer>> get_checked(Connection& connection, Request request, int status, const std::string& digest) {
  Hasher hasher;
  if (!digest.empty()) request.hasher = &hasher;
  auto answer = co_await connection.ask(request);
  if (!answer) co_return answer;
  if (answer->status != status) co_return unwanted(request.target, answer->status);
  if (!digest.empty() && hasher.finish().to_string() != digest)
    co_return Error(ErrorKind::kUpstream, "{}: a wrong body: {}", request.target, hasher.finish().to_string());
  co_return answer;
}

class Get {
 public:
  explicit Get(GetOptions options) : options_(std::move(options)) {}

  Task<Result<Done>> run(Client& client, std::uint64_t number) {
    Request request{options_.method, options_.paths[number % options_.paths.size()], options_.headers};
    const bool ranged = options_.range_bytes > 0;
    if (ranged) {
      const std::uint64_t from =
          std::uniform_int_distribution<std::uint64_t>(0, options_.size_bytes - options_.range_bytes)(random_);
      request.headers += fmt::format("Range: bytes={}-{}\r\n", from, from + options_.range_bytes - 1);
    }
    auto answer = co_await get_checked(client.connection(), std::move(request), ranged ? 206 : 200, options_.verify);
    if (!answer) co_return answer.error();
    if (ranged && answer->body_bytes != options_.range_bytes)
      co_return Error(ErrorKind::kUpstream, "a range of {} bytes instead of {}", answer->body_bytes,
                      options_.range_bytes);
    co_return Done{answer->body_bytes, answer->first_byte};
  }

 private:
  GetOptions options_;
  std::mt19937_64 random_{1};
};

class Pull {
 public:
  explicit Pull(PullOptions options) : options_(std::move(options)) {}

  Task<Result<Done>> run(Client& client, std::uint64_t) {
    std::string text;
    Request request{"GET", fmt::format("/v2/{}/manifests/{}", options_.repository, options_.reference),
                    kManifestAccept};
    request.text = &text;
    std::string digest;
    if (options_.verify && options_.reference.find(':') != std::string::npos) digest = options_.reference;
    auto answer = co_await get_checked(client.connection(), std::move(request), 200, digest);
    if (!answer) co_return answer.error();
    auto manifest = Manifest::parse(text, "");
    if (!manifest) co_return manifest.error();
    Fetch fetch{client, manifest->blob_children(), {answer->body_bytes, answer->first_byte}};
    Scope scope;
    for (std::size_t i = 0; i < options_.parallel; ++i) scope.spawn(fetch_some(fetch, i));
    co_await scope.join();
    if (fetch.failed) co_return *fetch.failed;
    co_return fetch.done;
  }

 private:
  struct Fetch {
    Client& client;
    std::vector<Digest> blobs;
    Done done;
    std::size_t next = 0;
    std::optional<Error> failed = std::nullopt;
  };

  Task<void> fetch_some(Fetch& fetch, std::size_t connection) {
    while (fetch.next < fetch.blobs.size() && !fetch.failed) {
      std::string digest = fetch.blobs[fetch.next++].to_string();
      Request request{"GET", fmt::format("/v2/{}/blobs/{}", options_.repository, digest)};
      if (!options_.verify) digest.clear();
      auto answer = co_await get_checked(fetch.client.connection(connection), std::move(request), 200, digest);
      if (answer) {
        fetch.done.bytes += answer->body_bytes;
      } else {
        fetch.failed = answer.error();
      }
    }
  }

  PullOptions options_;
};

class Push {
 public:
  explicit Push(PushOptions options)
      : options_(std::move(options)), bytes_(options_.size_bytes - kTailBytes, '\0'), salt_(std::random_device()()) {
    std::mt19937_64 random(1);
    for (std::size_t at = 0; at + 8 <= bytes_.size(); at += 8) {
      const std::uint64_t word = random();
      std::memcpy(bytes_.data() + at, &word, 8);
    }
    front_.update(bytes_);
  }

  Task<Result<Done>> run(Client& client, std::uint64_t number) {
    Blob blob;
    blob.tail = fmt::format("{:016x}{:016x}", salt_, number);
    Hasher hasher = front_;
    hasher.update(blob.tail);
    blob.digest = hasher.finish().to_string();
    Connection& connection = client.connection();
    std::string uploads = fmt::format("/v2/{}/blobs/uploads/", options_.repository);
    if (options_.way == PushWay::kSingle) {
      uploads += "?digest=" + blob.digest;
      auto put = co_await send(connection, "POST", uploads, blob, 0, options_.size_bytes, 201);
      if (!put) co_return put.error();
      co_return Done{options_.size_bytes, put->first_byte};
    }
    auto begun = co_await send(connection, "POST", uploads, blob, 0, 0, 202);
    if (!begun) co_return begun.error();
    std::string place = begun->location;
    std::uint64_t sent = 0;
    if (options_.way == PushWay::kStreamed) {
      auto patched = co_await send_chunked_coding(connection, place, blob);
      if (!patched) co_return patched.error();
      place = patched->location;
      sent = options_.size_bytes;
    }
    while (options_.way == PushWay::kChunked && sent < options_.size_bytes) {
      const std::uint64_t bytes = std::min(options_.chunk_bytes, options_.size_bytes - sent);
      auto patched = co_await send(connection, "PATCH", place, blob, sent, bytes, 202);
      if (!patched) co_return patched.error();
      place = patched->location;
      sent += bytes;
    }
    place += (place.find('?') == std::string::npos ? '?' : '&') + ("digest=" + blob.digest);
    auto put = co_await send(connection, "PUT", place, blob, sent, options_.size_bytes - sent, 201);
    if (!put) co_return put.error();
    co_return Done{options_.size_bytes, put->first_byte};
  }

 private:
  struct Blob {
    std::string tail;
    std::string digest;
  };

  /// The iovecs of a part of the blob.
  std::vector<iovec> part(Blob& blob, std::uint64_t from, std::uint64_t bytes) {
    std::vector<iovec> pieces;
    for (std::string* piece : {&bytes_, &blob.tail}) {
      if (from < piece->size() && bytes > 0) {
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, piece->size() - from));
        pieces.push_back({piece->data() + from, length});
        bytes -= length;
        from = 0;
      } else {
        from -= std::min<std::uint64_t>(from, piece->size());
      }
    }
    return pieces;
  }

  Task<Result<Answer>> send(Connection& connection, std::string_view method, std::string target, Blob& blob,
                            std::uint64_t from, std::uint64_t bytes, int status) {
    const auto pieces = part(blob, from, bytes);
    Request request{method, std::move(target)};
    request.headers = fmt::format("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", bytes);
    if (method == "PATCH") request.headers += fmt::format("Content-Range: {}-{}\r\n", from, from + bytes - 1);
    request.body = pieces;
    auto answer = co_await connection.ask(request);
    if (answer && answer->status != status) co_return unwanted(method, answer->status);
    co_return answer;
  }

  Task<Result<Answer>> send_chunked_coding(Connection& connection, std::string target, Blob& blob) {
    constexpr std::uint64_t kChunkBytes = 32 * 1024;  // Go's io.Copy, and so docker's
    std::string full = fmt::format("{:x}\r\n", kChunkBytes);
    std::string last;
    std::string end = "\r\n";
    std::string end_of_all = "\r\n0\r\n\r\n";
    std::vector<iovec> pieces;
    for (std::uint64_t from = 0; from < options_.size_bytes; from += kChunkBytes) {
      const std::uint64_t bytes = std::min(kChunkBytes, options_.size_bytes - from);
      if (bytes < kChunkBytes) last = fmt::format("{:x}\r\n", bytes);
      std::string& size = bytes < kChunkBytes ? last : full;
      pieces.push_back({size.data(), size.size()});
      const auto here = part(blob, from, bytes);
      pieces.insert(pieces.end(), here.begin(), here.end());
      std::string& after = from + bytes < options_.size_bytes ? end : end_of_all;
      pieces.push_back({after.data(), after.size()});
    }
    Request request{"PATCH", std::move(target),
                    "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n"};
    request.body = pieces;
    auto answer = co_await connection.ask(request);
    if (answer && answer->status != 202) co_return unwanted("PATCH", answer->status);
    co_return answer;
  }

  static constexpr std::size_t kTailBytes = 32;

  PushOptions options_;
  std::string bytes_;  // of every blob, all but its tail
  Hasher front_;
  std::uint64_t salt_;
};

class Mount {
 public:
  explicit Mount(MountOptions options) : options_(std::move(options)), salt_(std::random_device()()) {}

  Task<Result<Done>> run(Client& client, std::uint64_t number) {
    Request request{"POST",
                    fmt::format("/v2/{}-{:x}-{}/blobs/uploads/?mount={}&from={}", options_.repository, salt_, number,
                                options_.digest, options_.from),
                    kNoBody};
    auto answer = co_await client.connection().ask(request);
    if (!answer) co_return answer.error();
    if (answer->status != 201) co_return unwanted("mount", answer->status);
    co_return Done{0, answer->first_byte};
  }

 private:
  MountOptions options_;
  std::uint32_t salt_;
};

template <class Kind, class Options>
Operation make(Options options) {
  auto kind = std::make_shared<Kind>(std::move(options));
  return [kind](Client& client, std::uint64_t number) { return kind->run(client, number); };
}

}  // namespace

Operation make_get(GetOptions options) { return make<Get>(std::move(options)); }
Operation make_pull(PullOptions options) { return make<Pull>(std::move(options)); }
Operation make_push(PushOptions options) { return make<Push>(std::move(options)); }
Operation make_mount(MountOptions options) { return make<Mount>(std::move(options)); }

std::optional<PushWay> parse_push_way(const std::string& text) {
  if (text == "single") return PushWay::kSingle;
  if (text == "monolithic") return PushWay::kMonolithic;
  if (text == "streamed") return PushWay::kStreamed;
  if (text == "chunked") return PushWay::kChunked;
  return std::nullopt;
}

Operation make_mixed(Operation pull, Operation push, std::uint64_t push_percent) {
  return [pull = std::move(pull), push = std::move(push), push_percent](Client& client, std::uint64_t number) {
    const bool pushes = (number + 1) * push_percent / 100 != number * push_percent / 100;
    return pushes ? push(client, number) : pull(client, number);
  };
}

}  // namespace wherry::bench
