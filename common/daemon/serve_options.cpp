#include "common/daemon/serve_options.h"

#include "common/daemon/tls_options.h"

namespace wherry {
namespace {

/// A text of the command line or else of the file, and where it stood, for what is said of it.
struct Setting {
  std::string& value;
  std::string key;
  std::string place = "--" + key;

  /// A flag wins over the file.
  Result<void> read_unless_set(ConfigSection& file) {
    std::string from_file;
    auto read = file.read(key, from_file);
    if (!read || !value.empty() || from_file.empty()) return read;
    value = std::move(from_file);
    place = file.place_of(key);
    return {};
  }
};

Result<SocketAddress> parse_address(const Setting& setting) {
  auto address = SocketAddress::parse(setting.value);
  if (!address) return Error(ErrorKind::kInvalid, "{}: {}", setting.place, address.error().message());
  return address;
}

Result<void> read_limits(ConfigSection& file, http::Limits& limits) {
  auto section = file.section("limits");
  if (!section) return section.error();
  std::uint64_t connections = limits.connections;
  for (auto& [key, value] : {std::pair<const char*, std::chrono::milliseconds*>{"head-time", &limits.head_time},
                             {"idle-time", &limits.idle_time},
                             {"body-silence", &limits.body_silence},
                             {"send-silence", &limits.send_silence}}) {
    auto read = section->read_duration(key, *value);
    if (!read) return read;
  }
  auto read = section->read_bytes("body-bytes-per-second", limits.body_bytes_per_second);
  if (!read) return read;
  read = section->read_count("connections", 1, 1'000'000, connections);
  if (!read) return read;
  limits.connections = static_cast<std::size_t>(connections);
  return section->finish();
}

}  // namespace

void ServeOptions::add_flags(Command command) {
  command.option("--data", data, "directory of all data; made when it is not there");
  command.option("--listen", listen, "HOST:PORT of the registry");
  command.option("--observe", observe, "HOST:PORT of /healthz, /readyz and /metrics");
  command.option("--tls-certificate", daemon.tls.certificate, "PEM file: --listen speaks HTTPS with this certificate");
  command.option("--tls-key", daemon.tls.key, "PEM file with the key of --tls-certificate");
  command.option("--config", config, "YAML file; flags win over it");
  command.option("--log-level", log_level, "debug, info, warn or error");
  command.flag("--insecure-open", insecure_open,
               "no authentication: everyone may do everything; on a loopback address only");
}

Result<void> ServeOptions::complete(const std::function<Result<void>(ConfigSection&)>& own,
                                    const std::function<Result<void>(ConfigSection&)>& own_access) {
  Setting data_setting{data, "data"};
  Setting listen_setting{listen, "listen"};
  Setting observe_setting{observe, "observe"};
  if (!config.empty()) {
    auto file = ConfigSection::load(config);
    if (!file) return file.error();
    for (Setting* setting : {&data_setting, &listen_setting, &observe_setting}) {
      auto read = setting->read_unless_set(*file);
      if (!read) return read;
    }
    auto tls = read_tls(*file, "tls");
    if (!tls) return tls.error();
    const TlsFiles flags = std::move(daemon.tls);
    daemon.tls = std::move(*tls);
    if (!flags.certificate.empty()) daemon.tls.certificate = flags.certificate;
    if (!flags.key.empty()) daemon.tls.key = flags.key;
    auto observe_tls = read_tls(*file, "observe-tls");
    if (!observe_tls) return observe_tls.error();
    daemon.observe_tls = std::move(*observe_tls);
    auto read = read_limits(*file, daemon.limits);
    if (!read) return read;
    read = file->read_duration("drain-time", daemon.drain_time);
    if (!read) return read;
    read = file->read("access-log", daemon.access_log);
    if (!read) return read;
    read = file->read("core-files", daemon.core_files);
    if (!read) return read;
    read = file->read_count("loops", 1, 256, loops);
    if (!read) return read;
    auto space = file->section("space");
    if (!space) return space.error();
    read = space->read_bytes("low-water-bytes", low_water_bytes);
    if (!read) return read;
    read = space->finish();
    if (!read) return read;
    auto scrub = file->section("scrub");
    if (!scrub) return scrub.error();
    read = scrub->read_duration("round", scrub_round);
    if (!read) return read;
    read = scrub->finish();
    if (!read) return read;
    auto access = file->section("access");
    if (!access) return access.error();
    read = access->read("url", access_url);
    if (read) read = access->read("behind-tls", behind_tls);
    if (read && own_access) read = own_access(*access);
    if (read) read = access->finish();
    if (read) read = own(*file);
    if (!read) return read;
    read = file->finish();
    if (!read) return read;
  }
  if (data.empty()) return Error(ErrorKind::kInvalid, "--data: name the directory of all data");
  if (listen.empty()) return Error(ErrorKind::kInvalid, "--listen: name HOST:PORT to listen on");
  if (daemon.tls.certificate.empty() != daemon.tls.key.empty())
    return Error(ErrorKind::kInvalid, "--tls-certificate: it and --tls-key belong together");
  auto address = parse_address(listen_setting);
  if (!address) return address.error();
  daemon.listen = *address;
  if (!observe.empty()) {
    auto observed = parse_address(observe_setting);
    if (!observed) return observed.error();
    daemon.observe = *observed;
  }
  auto level = log::parse_level(log_level);
  if (!level) return Error(ErrorKind::kInvalid, "--log-level: {}", level.error().message());
  daemon.log_level = *level;
  daemon.loops = static_cast<std::size_t>(loops);
  const bool in_clear = daemon.tls.certificate.empty() && !behind_tls && !daemon.listen.is_loopback();
  if (!insecure_open && in_clear)
    return Error(
        ErrorKind::kInvalid,
        "--listen: passwords and tokens would go over {} in clear: name --tls-certificate and --tls-key, or set "
        "access.behind-tls when something that speaks TLS stands before this",
        listen);
  if (insecure_open && !daemon.listen.is_loopback())
    return Error(ErrorKind::kInvalid,
                 "--insecure-open: {} is not a loopback address; without authentication nobody else "
                 "may be let in",
                 listen);
  return {};
}

}  // namespace wherry
