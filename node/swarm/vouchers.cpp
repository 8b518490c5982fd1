#include "node/swarm/vouchers.h"

#include "common/feed/signature.h"
#include "common/swarm/introduction.h"
#include "node/follow/trusted_keys.h"

namespace wherry::node {

Task<Result<void>> Vouchers::check(const RepositoryName& repository, const swarm::Torrent& torrent) const {
  if (torrent.voucher().empty()) {
    auto masters = co_await is_masters(repository);
    if (!masters) co_return masters.error();
    if (!*masters) co_return Result<void>();
    co_return Error(ErrorKind::kUpstream, "the parent does not have the master's word on the pieces of {}",
                    torrent.blob().to_string());
  }
  // Who does not follow the feed has no key of the master's.
  if (!followed_.is_enabled()) co_return Result<void>();
  co_return co_await verify(torrent);
}

Task<Result<bool>> Vouchers::is_masters(const RepositoryName& repository) const {
  auto remote = upstreams_.remote(repository);
  if (!remote || !upstreams_.follows(remote->origin())) co_return false;
  co_return co_await followed_.knows(remote->repository());
}

Task<Result<void>> Vouchers::verify(const swarm::Torrent& torrent) const {
  feed::TrustedKeys keys;
  auto loaded = co_await load_trusted_keys(store_, key_, keys);
  if (!loaded) co_return loaded;
  auto word = feed::SignedRoot::decode(torrent.blob().to_string(), torrent.size(), torrent.root(), torrent.voucher());
  Result<void> checked;
  if (word)
    checked = word->verify(keys);
  else
    checked = word.error();
  if (checked) co_return checked;
  co_return Error(ErrorKind::kUpstream, "what the parent says of the pieces of {} is not the master's word: {}",
                  torrent.blob().to_string(), checked.error().message());
}

Task<Result<std::string>> Vouchers::ask(RepositoryName repository, swarm::SharedTorrent torrent) const {
  auto masters = co_await is_masters(repository);
  if (!masters) co_return masters.error();
  if (!*masters) co_return std::string();
  auto remote = upstreams_.remote(repository);
  if (!remote) co_return remote.error();
  Upstream upstream = remote->upstream();
  const auto of = Upstream::InvitationOf::kVoucher;
  auto invitation = co_await upstream.invitation(remote->repository(), torrent->blob(), of);
  if (!invitation) co_return invitation.error();
  Question question;
  question.method = "POST";
  question.target = invitation->insert(invitation->find('?'), swarm::kVoucher);
  question.answers = {200};
  question.patient = false;
  auto answer = co_await remote->origin().ask(std::move(question));
  if (!answer) co_return answer.error();
  auto voucher = co_await (*answer)->read_whole(swarm::Torrent::kMostVoucherBytes);
  if (!voucher || voucher->empty()) co_return voucher;
  const swarm::Torrent vouched = torrent->vouched_by(*voucher);
  auto checked = co_await verify(vouched);
  if (!checked) co_return checked.error();
  co_return voucher;
}

}  // namespace wherry::node
