#include "common/bundle/entries.h"

#include "common/base/bytes.h"
#include "common/bundle/bundle_reader.h"

namespace wherry::bundle {
namespace {

Error begins_later(std::uint64_t here) {
  return Error(ErrorKind::kInvalid,
               "the bundle begins after position {}, which is all that is here: export with --since {}", here, here);
}

}  // namespace

Task<Result<void>> take_entries(const feed::NextPiece& next, feed::Verifier& verifier, const EachBatches& each) {
  const std::uint64_t here = verifier.at().position;
  feed::RecordReader reader;
  bool any = false;
  bool open = true;  // entries came that no head has closed yet, or nothing came at all
  while (true) {
    Task<Result<Buffer>> coming = next();
    auto piece = co_await std::move(coming);
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    reader.feed(as_text(piece->bytes()));
    piece->clear();
    std::vector<feed::Batch> batches;
    while (true) {
      auto record = reader.next();
      if (!record) co_return record.error();
      if (!*record) break;
      if ((*record)->kind == feed::RecordKind::kHidden) co_return not_a_bundle("it hides entries");
      if ((*record)->kind == feed::RecordKind::kEntry) {
        auto change = feed::Change::decode((*record)->payload);
        if (!change) co_return change.error();
        if (change->position() <= here) continue;
        if (!any && change->position() > here + 1) co_return begins_later(here);
        any = true;
        open = true;
      }
      auto batch = verifier.take(**record);
      if (!batch) co_return batch.error();
      if ((*record)->kind == feed::RecordKind::kHead) open = false;
      if (*batch) batches.push_back(std::move(**batch));
    }
    if (batches.empty()) continue;
    Task<Result<void>> taking = each(std::move(batches));
    auto taken = co_await std::move(taking);
    if (!taken) co_return taken;
  }
  if (open || !reader.at_boundary()) co_return not_a_bundle("its entries end without a signed head");
  if (verifier.newest() <= verifier.at().position) co_return Result<void>();
  if (any) co_return not_a_bundle("its entries end before the newest of them");
  co_return begins_later(here);
}

}  // namespace wherry::bundle
