#include "node/swarm/vouchers.h"

#include "common/feed/signature.h"
#include "common/swarm/introduction.h"
#include "node/follow/trusted_keys.h"

namespace wherry::node {

Task<Result<void>> Vouchers::check(const RepositoryName& repository, const swarm::Torrent& torrent) const {
  auto masters = co_await is_masters(repository);
  if (!masters) co_return masters.error();
  if (!*masters) co_return Result<void>();
  auto keys = co_await trusted();
  if (!keys) co_return keys.error();
  auto signer = signer_of(torrent, *keys);
  if (!signer) co_return signer.error();
  co_return Result<void>();
}

/// What may be the master's is, as long as not all that the feed tells of is here.
Task<Result<bool>> Vouchers::is_masters(const RepositoryName& repository) const {
  auto remote = upstreams_.remote(repository);
  if (!remote || !upstreams_.follows(remote->origin())) co_return false;
  if (!followed_.standing()) co_return true;
  co_return co_await followed_.knows(remote->repository());
}

Task<Result<feed::TrustedKeys>> Vouchers::trusted() const {
  feed::TrustedKeys keys;
  auto loaded = co_await load_trusted_keys(store_, key_, keys);
  if (!loaded) co_return loaded.error();
  co_return keys;
}

Result<std::uint64_t> Vouchers::signer_of(const swarm::Torrent& torrent, const feed::TrustedKeys& keys) {
  const std::string blob = torrent.blob().to_string();
  if (torrent.voucher().empty())
    return Error(ErrorKind::kDenied, "the parent does not have the master's word on the pieces of {}", blob);
  const auto word = feed::SignedRoot::decode(blob, torrent.size(), torrent.root(), torrent.voucher());
  Result<void> checked;
  if (word)
    checked = word->verify(keys);
  else
    checked = word.error();
  if (checked) return word->key_id;
  return Error(ErrorKind::kDenied, "what the parent says of the pieces of {} is not the master's word: {}", blob,
               checked.error().message());
}

Task<Result<std::string>> Vouchers::ask(RepositoryName repository, swarm::SharedTorrent torrent) const {
  auto masters = co_await is_masters(repository);
  if (!masters) co_return masters.error();
  if (!*masters) co_return std::string();
  auto keys = co_await trusted();
  if (!keys) co_return keys.error();
  const auto signer = signer_of(*torrent, *keys);
  // Who was told of the newest key alone knows no other.
  if (signer && *signer == keys->all().back().id()) co_return torrent->voucher();
  auto voucher = co_await ask_parent(repository, *torrent);
  if (voucher) {
    const auto checked = signer_of(torrent->vouched_by(*voucher), *keys);
    if (checked) co_return voucher;
    voucher = checked.error();
  }
  if (signer) co_return torrent->voucher();
  co_return voucher;
}

Task<Result<std::string>> Vouchers::ask_parent(const RepositoryName& repository, const swarm::Torrent& torrent) const {
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  const auto of = Upstream::InvitationOf::kVoucher;
  auto invitation = co_await upstream.invitation(remote->repository(), torrent.blob(), of);
  if (!invitation) co_return invitation.error();
  Question question;
  question.method = "POST";
  question.target = invitation->insert(invitation->find('?'), swarm::kVoucherPlace);
  question.answers = {200};
  question.patient = false;
  auto answer = co_await remote->origin().ask(std::move(question));
  if (!answer) co_return answer.error();
  co_return co_await (*answer)->read_whole(swarm::Torrent::kMostVoucherBytes);
}

}  // namespace wherry::node
