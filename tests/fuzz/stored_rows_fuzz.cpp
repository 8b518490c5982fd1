// Rows as the ordered store or a parent may give them: no bytes crash a reader, and what is read is written as it was.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/feed/change.h"
#include "common/registry/tables.h"
#include "common/store/blob_row.h"
#include "common/store/upload_state.h"
#include "master/registry/upload_sessions.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace wherry;
  namespace tables = registry::tables;
  const std::string_view row(reinterpret_cast<const char*>(data), size);

  if (const auto blob = store::BlobRow::decode(row)) {
    WHERRY_CHECK(blob->encode() == row);
    WHERRY_CHECK(blob->checksums().size() == store::block_count(blob->size()));
  } else {
    WHERRY_CHECK(blob.error().kind() == ErrorKind::kCorrupt);
  }
  if (const auto state = store::UploadState::decode(row)) {
    WHERRY_CHECK(state->encode() == row);
    WHERRY_CHECK(state->whole_blocks().size() == state->size() / store::kBlockBytes);
  } else {
    WHERRY_CHECK(state.error().kind() == ErrorKind::kCorrupt);
  }
  if (const auto session = master::UploadSession::decode("0", row)) {
    WHERRY_CHECK(session->encode() == row);
    WHERRY_CHECK(to_millis(session->touched()) >= 0);
    if (session->state()) WHERRY_CHECK(session->state()->hasher().algorithm() == session->algorithm());
  } else {
    WHERRY_CHECK(session.error().kind() == ErrorKind::kCorrupt);
  }
  if (const auto change = feed::Change::decode(row)) {
    WHERRY_CHECK(change->encode() == row);
    WHERRY_CHECK(change->position() > 0 && change->epoch() > 0);
  } else {
    WHERRY_CHECK(change.error().kind() == ErrorKind::kInvalid);
  }
  if (const auto manifest = tables::decode_manifest(row))
    WHERRY_CHECK(tables::encode_manifest(manifest->media_type, manifest->bytes) == row);
  else
    WHERRY_CHECK(manifest.error().kind() == ErrorKind::kCorrupt);
  if (const auto referrer = tables::decode_referrer(row))
    WHERRY_CHECK(tables::encode_referrer(referrer->artifact_type, referrer->descriptor) == row);
  else
    WHERRY_CHECK(referrer.error().kind() == ErrorKind::kCorrupt);
  std::string_view key = row;
  if (const auto digest = tables::take_digest(key))
    WHERRY_CHECK(digest->binary() + std::string(key) == row);
  else
    WHERRY_CHECK(digest.error().kind() == ErrorKind::kCorrupt && key == row);
  return 0;
}
