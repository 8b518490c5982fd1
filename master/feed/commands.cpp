#include "master/feed/commands.h"

#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "common/async/run_on_loop.h"
#include "common/base/clock.h"
#include "common/base/files.h"
#include "common/daemon/daemon.h"
#include "common/feed/log.h"
#include "common/feed/signature.h"
#include "common/kv/rocks_key_value.h"
#include "master/feed/authority.h"

namespace wherry::master {
namespace {

struct Options {
  std::string data;
  std::uint64_t epoch = 0;
  bool rotate = false;
};

int failed(std::string_view command, const Error& error) {
  std::fprintf(stderr, "wherry-master %s: %s\n", std::string(command).c_str(), error.to_string().c_str());
  return error.kind() == ErrorKind::kInvalid ? kExitUsage : kExitIo;
}

/// Opens the names of a master that does not run, and works on them.
int with_names(std::string_view command, const std::string& data,
               const std::function<Task<Result<void>>(kv::KeyValue&)>& work) {
  Pool pool("disk", 1);
  if (auto there = read_small_file(data + "/format", 4096); !there) return failed(command, there.error());
  auto names = kv::RocksKeyValue::open(data + "/names", pool, {});
  if (!names) return failed(command, names.error());
  const auto run = [&]() -> Task<Result<void>> { return work(**names); };
  Result<void> outcome;
  const auto to_end = [](std::function<Task<Result<void>>()> task, Result<void>* into) -> Task<int> {
    Task<Result<void>> running = task();
    *into = co_await std::move(running);
    co_return 0;
  };
  run_on_loop([&] { return to_end(run, &outcome); });
  names->reset();
  return outcome ? kExitOk : failed(command, outcome.error());
}

Task<Result<void>> raise_epoch(kv::KeyValue& names, std::uint64_t wanted) {
  auto raised = co_await names.transact([&](kv::Transaction& transaction) -> Result<feed::Head> {
    auto head = feed::head(transaction);
    if (!head) return head;
    auto begun = feed::begin_epoch(transaction, wanted == 0 ? head->epoch + 1 : wanted);
    if (!begun) return begun.error();
    return feed::head(transaction);
  });
  if (!raised) co_return raised.error();
  std::printf("epoch %llu from position %llu on: followers with another history take this one when the master runs\n",
              static_cast<unsigned long long>(raised->epoch), static_cast<unsigned long long>(raised->position));
  co_return Result<void>();
}

Task<Result<void>> rotate_key(kv::KeyValue& names, const feed::SigningKey& old_key, const feed::SigningKey& new_key) {
  const std::string record = feed::KeyRecord::vouched(new_key.public_key(), old_key).encode();
  const WallTime now = Clock::system().wall();
  co_return co_await names.transact([&](kv::Transaction& transaction) {
    return feed::append(transaction, feed::Change::key_announced(record, now));
  });
}

int feed_key(const Options& options) {
  const std::string path = key_file(options.data);
  if (auto there = read_small_file(path, 8192); !there) return failed("feed-key", there.error());
  auto key = feed::SigningKey::load_or_make(path);
  if (!key) return failed("feed-key", key.error());
  if (options.rotate) {
    const feed::SigningKey next = feed::SigningKey::make();
    // Announced first: a key that is announced and not used does no harm, one that is used and unknown does.
    const int announced =
        with_names("feed-key", options.data, [&](kv::KeyValue& names) { return rotate_key(names, *key, next); });
    if (announced != kExitOk) return announced;
    auto saved = next.save(path);
    if (!saved) return failed("feed-key", saved.error());
    key = next;
  }
  std::printf("%s\n", key->public_key().to_hex().c_str());
  return kExitOk;
}

}  // namespace

void add_feed_commands(Command& program) {
  auto options = std::make_shared<Options>();
  auto epoch = program.command("epoch", "after a restore from a backup: begin a new epoch of the feed", [options] {
    return with_names("epoch", options->data,
                      [options](kv::KeyValue& names) { return raise_epoch(names, options->epoch); });
  });
  epoch.option("--data", options->data, "data directory of a master that does not run").required();
  epoch.option("--set", options->epoch, "the new epoch; without it, the next one");
  auto key = program.command("feed-key", "print the key that nodes trust the feed by",
                             [options] { return feed_key(*options); });
  key.option("--data", options->data, "data directory of a master that does not run").required();
  key.flag("--rotate", options->rotate, "replace it by a new one, which the old one vouches for");
}

}  // namespace wherry::master
