#include <cstdio>

#include "common/base/core_files.h"
#include "common/daemon/serve_options.h"
#include "master/airgap/commands.h"
#include "master/audit/commands.h"
#include "master/cli/commands.h"
#include "master/feed/commands.h"
#include "master/identity/commands.h"
#include "master/role/master.h"

namespace wherry::master {
namespace {

int serve(ServeOptions& options) {
  MasterOptions master;
  auto complete = options.complete(
      [&](ConfigSection& file) -> Result<void> {
        auto uploads = file.section("uploads");
        if (!uploads) return uploads.error();
        auto read = uploads->read_duration("expire-after", master.upload_expiry);
        if (!read) return read;
        if (auto finished = uploads->finish(); !finished) return finished;
        auto feed = file.section("feed");
        if (!feed) return feed.error();
        read = feed->read_count("keep-entries", 1, INT64_MAX, master.feed_keep_entries);
        if (!read) return read;
        read = feed->read("registered-only", master.feed_registered_only);
        if (!read) return read;
        read = feed->finish();
        if (!read) return read;
        auto audit = audit::read_audit(file);
        if (!audit) return audit.error();
        master.audit = std::move(*audit);
        auto ldap = ldap::read_ldap(file);
        if (!ldap) return ldap.error();
        master.access.ldap = std::move(*ldap);
        auto swarm = file.section("swarm");
        if (!swarm) return swarm.error();
        read = swarm->read_bytes("min-bytes", master.swarm.min_bytes);
        if (read) read = swarm->finish();
        if (!read) return read;
        auto oidc = identity::oidc::read_oidc(file);
        if (!oidc) return oidc.error();
        master.oidc = std::move(*oidc);
        return {};
      },
      [&](ConfigSection& access) -> Result<void> {
        auto read = access.read("service", master.access.service);
        if (read) read = access.read_duration("offline-grace", master.access.offline_grace);
        if (read) read = access.read("cache-passwords", master.access.cache_passwords);
        return read;
      });
  if (!complete) {
    std::fprintf(stderr, "wherry-master: %s\n", complete.error().message().c_str());
    return options.config.empty() ? kExitUsage : kExitConfig;
  }
  master.data = options.data;
  master.is_open = options.insecure_open;
  master.access.url = options.access_url;
  master.access.speaks_tls = options.speaks_tls();
  // Names are not for everybody where rights are.
  master.feed_registered_only = master.feed_registered_only || !master.is_open;
  master.scrub_round = options.scrub_round;
  if (options.low_water_bytes > 0) master.low_water_bytes = options.low_water_bytes;
  Daemon daemon("wherry-master", options.daemon);
  Master role(std::move(master));
  return daemon.run(role);
}

}  // namespace
}  // namespace wherry::master

int main(int argc, char** argv) {
  wherry::forbid_core_files();
  wherry::ServeOptions options;
  return wherry::run_program("wherry-master", wherry::kAbout, argc, argv, [&](wherry::Command& program) {
    options.add_flags(program.command("serve", "run the master", [&] { return wherry::master::serve(options); }));
    wherry::master::add_feed_commands(program);
    wherry::master::add_airgap_commands(program);
    wherry::audit::add_audit_commands(program);
    wherry::identity::add_identity_commands(program);
    wherry::master::add_replication(program);
    wherry::master::add_nodes(program);
    wherry::master::add_swarm(program);
    wherry::master::add_identity(program);
  });
}
