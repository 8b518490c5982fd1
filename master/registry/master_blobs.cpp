#include "master/registry/master_blobs.h"

namespace wherry::master {

Task<Result<std::uint64_t>> MasterBlobs::size(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row) co_return row.error();
  co_return row->size();
}

Task<Result<std::unique_ptr<http::Body>>> MasterBlobs::open(const RepositoryName& repository, const Digest& digest) {
  auto row = co_await names_.member(repository, digest);
  if (!row) co_return row.error();
  co_return co_await blobs_.open(digest, std::move(*row));
}

}  // namespace wherry::master
