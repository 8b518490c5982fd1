#include "common/swarm/session.h"

#include <openssl/dh.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <pthread.h>

#include <cstring>
#include <libtorrent/add_torrent_params.hpp>
#include <libtorrent/alert_types.hpp>
#include <libtorrent/bencode.hpp>
#include <libtorrent/entry.hpp>
#include <libtorrent/extensions.hpp>
#include <libtorrent/ip_filter.hpp>
#include <libtorrent/load_torrent.hpp>
#include <libtorrent/peer_connection.hpp>
#include <libtorrent/peer_connection_handle.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/settings_pack.hpp>
#include <libtorrent/torrent_flags.hpp>
#include <libtorrent/torrent_handle.hpp>
#include <libtorrent/torrent_peer.hpp>

#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/base/sha256.h"
#include "common/net/address.h"
#include "common/swarm/store_disk.h"

namespace wherry::swarm {
namespace {

namespace lt = libtorrent;

/// The torrent as a file of version 2 alone, the same wherever it is made: what nodes meet by is its hash.
std::vector<char> torrent_file(const Torrent& torrent, const Credentials& credentials) {
  lt::entry::dictionary_type file;
  file["length"] = static_cast<std::int64_t>(torrent.size());
  file["pieces root"] = std::string(as_text(torrent.root()));
  lt::entry::dictionary_type leaf;
  leaf[""] = std::move(file);
  lt::entry::dictionary_type tree;
  tree[credentials.name] = std::move(leaf);
  lt::entry::dictionary_type info;
  info["file tree"] = std::move(tree);
  info["meta version"] = std::int64_t{2};
  info["name"] = credentials.name;
  info["piece length"] = std::int64_t{torrent.piece_bytes()};
  info["private"] = std::int64_t{1};
  info["ssl-cert"] = credentials.authority_pem;
  std::string layer;
  for (const Sha256& root : torrent.roots()) layer.append(as_text(root));
  lt::entry::dictionary_type layers;
  layers[std::string(as_text(torrent.root()))] = std::move(layer);
  lt::entry::dictionary_type whole;
  whole["info"] = std::move(info);
  whole["piece layers"] = std::move(layers);
  std::vector<char> bytes;
  lt::bencode(std::back_inserter(bytes), lt::entry(std::move(whole)));
  return bytes;
}

/// libtorrent wants parameters for ciphers that nobody chooses any more. Source: RFC 7919, ffdhe2048.
std::string dh_parameters() {
  std::unique_ptr<EVP_PKEY_CTX, decltype(&::EVP_PKEY_CTX_free)> context(
      ::EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr), ::EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  WHERRY_CHECK(context && ::EVP_PKEY_paramgen_init(context.get()) == 1 &&
               ::EVP_PKEY_CTX_set_dh_nid(context.get(), NID_ffdhe2048) == 1 &&
               ::EVP_PKEY_paramgen(context.get(), &made) == 1);
  const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> parameters(made, ::EVP_PKEY_free);
  const std::unique_ptr<BIO, decltype(&::BIO_free)> out(::BIO_new(::BIO_s_mem()), ::BIO_free);
  WHERRY_CHECK(::PEM_write_bio_Parameters(out.get(), parameters.get()) == 1);
  char* text = nullptr;
  const long size = ::BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

/// How the name begins by which a node of that site shows itself to its neighbours: 20 bytes, the rest by chance.
std::string beginning_of_name(const std::string& site) {
  const Sha256 hash = sha256(site);
  return "-WH-" + to_hex(std::span(hash).first(4)) + "-";
}

/// What one neighbour says that it has, as far as it is heard.
class Neighbour final : public lt::peer_plugin {
 public:
  /// `site`: how the names of those of this site begin.
  Neighbour(std::shared_ptr<TransferState> state, std::string_view site, const lt::peer_connection_handle& connection)
      : state_(std::move(state)),
        site_(site),
        connection_(connection),
        host_(connection.remote().address().to_string()),
        has_(pieces()) {
    state_->peers.fetch_add(1);
  }
  ~Neighbour() override { gone(); }

  bool on_have(lt::piece_index_t piece) override {
    says(number_of(piece));
    return false;  // nobody waits for one of them: who asks for leases looks many times a second
  }
  bool on_dont_have(lt::piece_index_t piece) override {
    takes_back(number_of(piece));
    return false;
  }
  bool on_bitfield(const lt::bitfield& bits) override {
    for (std::uint32_t piece = 0; piece < pieces() && piece < static_cast<std::uint32_t>(bits.size()); ++piece)
      if (bits.get_bit(static_cast<int>(piece))) says(piece);
    return tell();
  }
  bool on_have_all() override {
    for (std::uint32_t piece = 0; piece < pieces(); ++piece) says(piece);
    return tell();
  }
  bool on_have_none() override { return false; }
  bool on_piece(const lt::peer_request&, lt::span<const char> bytes) override {
    state_->received_bytes.fetch_add(static_cast<std::uint64_t>(bytes.size()), std::memory_order_relaxed);
    gave_at_ = Clock::system().monotonic();
    believe(true);
    return false;
  }
  /// Each second.
  void tick() override {
    if (Clock::system().monotonic() - gave_at_ >= Transfer::kCredit) believe(false);
  }
  void sent_payload(int bytes) override {
    state_->sent_bytes.fetch_add(static_cast<std::uint64_t>(bytes), std::memory_order_relaxed);
  }
  /// libtorrent shuts a port out; who was shut out comes again from another one.
  bool on_handshake(lt::span<const char>) override {
    is_met_ = true;
    is_far_ = !connection_.pid().to_string().starts_with(site_);
    keep_hashes_to_ourselves();
    if (state_->banned.contains(host_))
      connection_.disconnect(lt::errors::banned_by_ip_filter, lt::operation_t::bittorrent);
    return true;
  }
  void on_disconnect(const lt::error_code& why) override {
    is_met_ = false;
    exchange_hashes(true);  // its next handshake is of version 2, or of none
    if (why == lt::errors::too_many_corrupt_pieces && state_->banned.size() < kMostBanned) state_->banned.insert(host_);
    gone();
    tell();
  }
  /// All hashes come from the parent. After a wrong piece libtorrent would ask neighbours for those of its blocks, and
  /// 2.0.8 writes outside of its own table when one says no; so nobody is asked, and who sends such messages has to go.
  void keep_hashes_to_ourselves() {
    if (is_met_) exchange_hashes(false);
  }

 private:
  /// (That class is not among what the library exports: its type cannot be looked at.)
  __attribute__((no_sanitize("vptr"))) void exchange_hashes(bool yes) {
    const auto connection = connection_.native_handle();
    lt::torrent_peer* peer = connection ? connection->peer_info_struct() : nullptr;
    if (peer != nullptr) peer->protocol_v2 = yes;
  }
  std::uint32_t pieces() const { return static_cast<std::uint32_t>(state_->near.size()); }
  void says(std::uint32_t piece) {
    if (is_far_ || piece >= pieces() || !has_.add(piece)) return;
    state_->claimed[piece].fetch_add(1);
    if (is_believed_) state_->near[piece].fetch_add(1);
  }
  void believe(bool yes) {
    if (is_gone_ || std::exchange(is_believed_, yes) == yes) return;
    for (std::uint32_t piece = has_.next(0); piece < pieces(); piece = has_.next(piece + 1))
      if (yes)
        state_->near[piece].fetch_add(1);
      else
        state_->near[piece].fetch_sub(1);
  }
  void takes_back(std::uint32_t piece) {
    if (piece >= pieces() || !has_.has(piece)) return;
    has_.remove(piece);
    state_->claimed[piece].fetch_sub(1);
    if (is_believed_) state_->near[piece].fetch_sub(1);
  }
  void gone() {
    if (is_gone_) return;
    is_gone_ = true;
    state_->peers.fetch_sub(1);
    for (std::uint32_t piece = has_.next(0); piece < pieces(); piece = has_.next(piece + 1)) takes_back(piece);
  }
  bool tell() {
    state_->bell->ring();
    return false;
  }

  static constexpr std::size_t kMostBanned = 1000;

  const std::shared_ptr<TransferState> state_;
  const std::string_view site_;
  lt::peer_connection_handle connection_;
  const std::string host_;
  PieceSet has_;
  Monotonic gave_at_{};
  bool is_believed_ = false;
  bool is_far_ = false;
  bool is_met_ = false;
  bool is_gone_ = false;
};

class Watch final : public lt::torrent_plugin {
 public:
  Watch(std::shared_ptr<TransferState> state, std::string site) : state_(std::move(state)), site_(std::move(site)) {}
  std::shared_ptr<lt::peer_plugin> new_connection(const lt::peer_connection_handle& connection) override {
    std::erase_if(neighbours_, [](const auto& each) { return each.expired(); });
    auto neighbour = std::make_shared<Neighbour>(state_, site_, connection);
    neighbours_.push_back(neighbour);
    return neighbour;
  }
  /// Whoever is heard of once more is taken for one of version 2 again.
  void on_add_peer(const lt::tcp::endpoint&, lt::peer_source_flags_t, lt::add_peer_flags_t) override {
    for (const auto& each : neighbours_)
      if (const auto neighbour = each.lock()) neighbour->keep_hashes_to_ourselves();
  }
  void on_files_checked() override {
    state_->ready = true;
    state_->bell->ring();
  }
  void on_piece_pass(lt::piece_index_t piece) override {
    if (!state_->passed[number_of(piece)].exchange(true)) state_->passed_count.fetch_add(1);
    state_->bell->ring();
  }

 private:
  const std::shared_ptr<TransferState> state_;
  const std::string site_;  // outlives its neighbours
  std::vector<std::weak_ptr<Neighbour>>
      neighbours_;  // at most those connected, and those that went since the last came
};

/// Nothing when that is no numeric HOST:PORT.
std::optional<lt::tcp::endpoint> endpoint_of(const std::string& text) {
  const auto address = SocketAddress::parse(text);
  if (!address) return std::nullopt;
  lt::tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), address->raw(), address->length);
  endpoint.resize(address->length);
  return endpoint;
}

class LibtorrentTransfer final : public Transfer {
 public:
  LibtorrentTransfer(std::shared_ptr<lt::session> session, lt::torrent_handle handle, std::shared_ptr<BlobFile> file)
      : session_(std::move(session)), handle_(std::move(handle)), file_(std::move(file)) {}
  ~LibtorrentTransfer() override { session_->remove_torrent(handle_); }

  const Torrent& torrent() const override { return file_->torrent(); }
  bool has(std::uint32_t piece) const override { return state().passed[piece].load(); }
  bool is_ready() const override { return state().ready.load(); }
  std::uint32_t count() const override { return state().passed_count.load(); }
  bool is_claimed(std::uint32_t piece) const override { return state().claimed[piece].load() > 0; }
  bool is_near(std::uint32_t piece) const override { return state().near[piece].load() > 0; }
  std::uint32_t peers() const override { return state().peers.load(); }
  std::uint64_t received_bytes() const override { return state().received_bytes.load(std::memory_order_relaxed); }
  std::uint64_t sent_bytes() const override { return state().sent_bytes.load(std::memory_order_relaxed); }
  int file() const override { return file_->fd(); }
  std::optional<Error> failure() const override { return state().failure(); }

  void connect(const std::string& address) override {
    if (const auto endpoint = endpoint_of(address)) handle_.connect_peer(*endpoint);
  }
  void give(std::uint32_t piece, std::vector<char> bytes) override {
    if (has(piece)) return;
    bytes.resize(torrent().piece_bytes());  // it takes the last one with what would fill it up
    handle_.add_piece(lt::piece_index_t(static_cast<int>(piece)), std::move(bytes));
  }
  void hurry(std::uint32_t piece) override {
    if (!has(piece)) handle_.piece_priority(lt::piece_index_t(static_cast<int>(piece)), lt::top_priority);
  }
  void stop_writing() override { file_->stop_writing(); }

 private:
  const TransferState& state() const { return file_->state(); }

  const std::shared_ptr<lt::session> session_;
  const lt::torrent_handle handle_;
  const std::shared_ptr<BlobFile> file_;
};

/// Nobody is found but by introduction, nothing is spoken but TLS over TCP, nothing is sent late to save a packet.
lt::settings_pack settings_of(const SessionOptions& options) {
  using Pack = lt::settings_pack;
  Pack pack;
  pack.set_str(Pack::listen_interfaces, options.listen + "s");  // s: TLS alone
  pack.set_str(Pack::user_agent, "wherry");
  pack.set_str(Pack::peer_fingerprint, beginning_of_name(options.site));
  pack.set_str(Pack::dht_bootstrap_nodes, "");
  // send_redundant_have: who has a piece is told nothing by hearing who else does, and each word costs a packet.
  for (const int off :
       {Pack::send_redundant_have, Pack::enable_dht, Pack::enable_lsd, Pack::enable_upnp, Pack::enable_natpmp,
        Pack::enable_outgoing_utp, Pack::enable_incoming_utp, Pack::smooth_connects, Pack::enable_ip_notifier,
        Pack::announce_to_all_trackers, Pack::announce_to_all_tiers, Pack::allow_i2p_mixed,
        Pack::rate_limit_ip_overhead, Pack::piece_extent_affinity, Pack::seeding_outgoing_connections})
    pack.set_bool(off, false);
  for (const int on : {Pack::allow_multiple_connections_per_ip, Pack::enable_outgoing_tcp, Pack::enable_incoming_tcp,
                       Pack::strict_end_game_mode})
    pack.set_bool(on, true);
  pack.set_bool(Pack::prioritize_partial_pieces, false);
  pack.set_int(Pack::alert_mask, static_cast<int>(static_cast<std::uint32_t>(lt::alert_category::peer)));
  pack.set_int(Pack::alert_queue_size, 1000);
  pack.set_int(Pack::connections_limit, options.connections);
  pack.set_int(Pack::unchoke_slots_limit, -1);
  pack.set_int(Pack::upload_rate_limit, static_cast<int>(options.upload_bytes_per_second));
  pack.set_int(Pack::download_rate_limit, static_cast<int>(options.download_bytes_per_second));
  pack.set_int(Pack::connection_speed, 1000);
  pack.set_int(Pack::torrent_connect_boost, 255);
  pack.set_int(Pack::tick_interval, 100);
  pack.set_int(Pack::request_queue_time, 1);
  pack.set_int(Pack::send_buffer_watermark, 1 << 20);
  // Percent of what a connection carries in a second: requests wait behind what is to be sent by the same connection,
  // and with the usual half a second neighbours run out of what they were asked for.
  pack.set_int(Pack::send_buffer_watermark_factor, 5);
  pack.set_int(Pack::max_queued_disk_bytes, 16 << 20);
  pack.set_int(Pack::mixed_mode_algorithm, Pack::prefer_tcp);
  for (const int limit : {Pack::active_downloads, Pack::active_seeds, Pack::active_limit, Pack::active_checking})
    pack.set_int(limit, -1);
  pack.set_int(Pack::min_reconnect_time, 1);
  pack.set_int(Pack::peer_connect_timeout, 3);
  pack.set_int(Pack::handshake_timeout, 5);
  pack.set_int(Pack::piece_timeout, 5);
  pack.set_int(Pack::request_timeout, 10);
  pack.set_int(Pack::initial_picker_threshold, 0);
  pack.set_int(Pack::in_enc_policy, Pack::pe_disabled);
  pack.set_int(Pack::out_enc_policy, Pack::pe_disabled);
  pack.set_int(Pack::hashing_threads, 1);
  pack.set_int(Pack::peer_turnover, 0);
  return pack;
}

lt::ip_filter everybody_alike() {
  const std::uint32_t all = 1U << static_cast<std::uint32_t>(lt::session::global_peer_class_id);
  lt::ip_filter filter;
  filter.add_rule(lt::make_address("0.0.0.0"), lt::make_address("255.255.255.255"), all);
  filter.add_rule(lt::make_address("::"), lt::make_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), all);
  return filter;
}

/// Its threads have that name: they take it over from who makes them.
std::shared_ptr<lt::session> make_named(const char* name, lt::session_params params) {
  char own[16] = {};
  ::pthread_getname_np(::pthread_self(), own, sizeof own);
  ::pthread_setname_np(::pthread_self(), name);
  auto session = std::make_shared<lt::session>(std::move(params));
  ::pthread_setname_np(::pthread_self(), own);
  return session;
}

class LibtorrentSession final : public Session {
 public:
  explicit LibtorrentSession(const SessionOptions& options)
      : files_(std::make_shared<BlobFiles>()), site_(beginning_of_name(options.site)) {
    lt::session_params params(settings_of(options), {});  // no plugins: nobody is told of anybody
    params.disk_io_constructor = [files = files_](lt::io_context& network, const lt::settings_interface&,
                                                  lt::counters&) -> std::unique_ptr<lt::disk_interface> {
      return std::make_unique<StoreDisk>(network, files);
    };
    session_ = make_named("swarm", std::move(params));
    // libtorrent's rates are not for addresses of the local network otherwise, which all nodes of a site have.
    if (options.upload_bytes_per_second > 0 || options.download_bytes_per_second > 0)
      session_->set_peer_class_filter(everybody_alike());
    port_ = session_->ssl_listen_port();
  }

  Result<std::shared_ptr<Transfer>> add(const Torrent& torrent, const Credentials& credentials, UniqueFd file,
                                        const PieceSet& have, const std::vector<std::string>& peers,
                                        std::shared_ptr<Bell> bell) override {
    auto state = std::make_shared<TransferState>(have, std::move(bell));
    auto opened = std::make_shared<BlobFile>(std::move(file), torrent, state);
    const std::vector<char> metadata = torrent_file(torrent, credentials);
    try {
      lt::add_torrent_params params = lt::load_torrent_buffer(metadata);
      params.save_path = files_->put(opened);
      params.flags = lt::torrent_flags::duplicate_is_error | lt::torrent_flags::override_trackers |
                     lt::torrent_flags::override_web_seeds | lt::torrent_flags::disable_dht |
                     lt::torrent_flags::disable_lsd | lt::torrent_flags::disable_pex;
      // Neighbours are connected to at once when it resumes, by when it can show its certificate.
      params.flags |= lt::torrent_flags::paused;
      for (const std::string& peer : peers)
        if (const auto endpoint = endpoint_of(peer)) params.peers.push_back(*endpoint);
      params.max_uploads = Transfer::kUploadSlots;
      params.max_connections = Transfer::kMostPeers;
      if (have.count() > 0) {
        params.have_pieces.resize(static_cast<int>(have.pieces()), false);
        for (std::uint32_t piece = have.next(0); piece < have.pieces(); piece = have.next(piece + 1))
          params.have_pieces.set_bit(lt::piece_index_t(static_cast<int>(piece)));
      }
      params.extensions.emplace_back([state, site = site_](const lt::torrent_handle&, lt::client_data_t) {
        return std::make_shared<Watch>(state, site);
      });
      const std::string path = params.save_path;
      lt::error_code error;
      lt::torrent_handle handle = session_->add_torrent(std::move(params), error);
      if (error) {
        files_->take(path);
        return Error(ErrorKind::kInternal, "a blob could not be shared: {}", error.message());
      }
      handle.set_ssl_certificate_buffer(credentials.certificate_pem, credentials.key_pem, dh_parameters_);
      handle.resume();
      return std::make_shared<LibtorrentTransfer>(session_, std::move(handle), std::move(opened));
    } catch (const std::exception& exception) {
      return Error(ErrorKind::kInternal, "a blob could not be shared: {}", exception.what());
    }
  }

  std::uint16_t port() const override { return port_; }

  std::uint64_t banned() override {
    const std::lock_guard lock(alerts_);
    std::vector<lt::alert*> told;
    session_->pop_alerts(&told);
    for (const lt::alert* each : told)
      if (lt::alert_cast<lt::peer_ban_alert>(each) != nullptr) ++banned_;
    return banned_;
  }

 private:
  const std::shared_ptr<BlobFiles> files_;
  const std::string site_;  // how the names of those of this site begin
  const std::string dh_parameters_ = dh_parameters();
  std::shared_ptr<lt::session> session_;
  std::uint16_t port_ = 0;  // to ask for it is to wait for the network thread
  std::mutex alerts_;
  std::uint64_t banned_ = 0;  // under alerts_
};

}  // namespace

Result<std::unique_ptr<Session>> Session::start(const SessionOptions& options) {
  const auto address = SocketAddress::parse(options.listen);
  if (!address) return address.error();
  try {
    auto session = std::make_unique<LibtorrentSession>(options);
    if (session->port() == 0)
      return Error(ErrorKind::kIo, "the swarm cannot listen at {}: is the port taken?", options.listen);
    return session;
  } catch (const std::exception& exception) {
    return Error(ErrorKind::kIo, "the swarm cannot listen at {}: {}", options.listen, exception.what());
  }
}

}  // namespace wherry::swarm
