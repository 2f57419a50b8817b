// The client's side of relays: registrations at home relays and at peers' relays, and the channels through them.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include "bonus/net/nat/path_manager.hpp"
#include "bonus/net/nat/relay_message.hpp"

namespace bonus::net::nat {

/// Not thread-safe.
class RelayClient {
 public:
  struct Event {
    enum class Kind : std::uint8_t {
      kReady,     ///< Registered at `relay`, which sees us as `observed` (invalid over a link).
      kDown,      ///< The registration is lost.
      kOpened,    ///< A channel to `peer`; `path` leads through it.
      kClosed,    ///< `path` to `peer` is gone.
      kRefused,   ///< `relay` cannot open a channel to `peer`.
      kOffered,   ///< `peer` came through `relay` and was accepted; `record` is its valid record.
      kObserved,  ///< `relay` saw us as `observed`.
    } kind = Kind::kReady;
    crypto::X25519Public relay, peer;
    PathEndpoint path;
    UdpEndpoint observed;
    Bytes record;
  };
  using Events = std::vector<Event>;

  RelayClient(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
              const runtime::Clock& wall, const PathOptions& options);

  void set_self(BytesView record) { self_record_.assign(record.begin(), record.end()); }
  /// TLS port and root key of a relay of ours. Roots that claim the tunnel key are tried in turn, until the key's
  /// holder has shown whose it is (`by_key`): then that one for good.
  void learn(const NodeRecord& relay, bool by_key = false);
  /// These stay registered; the others go when nothing uses them.
  void set_home(const std::vector<std::pair<crypto::X25519Public, UdpEndpoint>>& relays, Instant now, Actions& out);
  /// Registers if needed, then asks for a channel, which ends in kOpened or kRefused. False: not at this relay now.
  bool open(const crypto::X25519Public& relay, const UdpEndpoint& address, const crypto::X25519Public& peer,
            Instant now, Actions& out);
  void use(const crypto::X25519Public& relay, const UdpEndpoint& address, Instant now, Actions& out);
  void close(std::uint32_t via, Instant now, Actions& out, bool tell = true);
  void touch(std::uint32_t via, Instant now);  ///< The channel is in use: renew it in time.
  /// Something else fails: ask the relays at once whether they still reach us.
  void check(Instant now);
  /// Our address has changed: register everywhere again.
  void moved(Instant now, Actions& out);

  void on_control(const crypto::X25519Public& from, const PathEndpoint& path, BytesView payload, Instant now,
                  Actions& out, Events& events);
  void on_timer(Instant now, Actions& out, Events& events);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  void link_up(const crypto::X25519Public& relay, const PathEndpoint& link, const Ed25519PublicKey& root, Instant now,
               Actions& out);
  void link_down(std::uint32_t via, Instant now, Actions& out, Events& events);

  /// The channel path that a frame with our token came on.
  [[nodiscard]] std::optional<PathEndpoint> unwrap(BytesView frame, const PathEndpoint& from, Instant now) const;
  [[nodiscard]] std::optional<PathEndpoint> wrap(std::uint32_t via, std::span<std::uint8_t, kRelayHeader> header) const;
  [[nodiscard]] bool over_link(std::uint32_t via) const;
  /// Who the channel leads to; a datagram of somebody else on it is not taken.
  [[nodiscard]] std::optional<crypto::X25519Public> peer_of(std::uint32_t via) const;
  /// Where a relay that we are registered at is reached.
  [[nodiscard]] std::optional<PathEndpoint> ready_path(const crypto::X25519Public& relay) const;
  [[nodiscard]] int failures(const crypto::X25519Public& relay) const;
  [[nodiscard]] bool is_home(const crypto::X25519Public& relay) const;
  [[nodiscard]] std::vector<RecordEndpoint> home_endpoints() const;
  /// Relays were tried, and none answered by UDP.
  [[nodiscard]] bool udp_blocked() const;

 private:
  enum class State : std::uint8_t { kRegistering, kReady, kFailed };
  struct Opening {
    std::uint64_t nonce = 0;
    int tries = 0;
    Instant next, until;
  };
  struct Accepting {
    Bytes message;
    int tries = 0;
    Instant next;
    std::uint64_t nonce = 0;
  };
  struct Claim {
    Ed25519PublicKey root;
    std::vector<UdpEndpoint> tls;
  };
  struct Relay {
    UdpEndpoint address;
    std::vector<Claim> claims;  // one when it is shown
    bool home = false, shown = false;
    State state = State::kRegistering;
    PathEndpoint path;  // what the registration goes over
    std::uint64_t id = 0;
    int tries = 0, failures = 0, offers = 0, dials = 0;
    Instant next, used, heard, offers_since, udp_retry, began;
    bool link_wanted = false, announce = false;
    std::optional<std::uint32_t> link;
    std::map<crypto::X25519Public, Opening> opening;
    std::map<crypto::X25519Public, Accepting> accepting;  // until the relay says that the channel is open
  };
  struct Channel {
    crypto::X25519Public relay, peer;
    std::uint64_t token = 0;
    Instant until, used, renewed;
  };

  Relay* find_or_add(const crypto::X25519Public& key, const UdpEndpoint& address, Instant now, Actions& out);
  void start(const crypto::X25519Public& key, Relay& relay, const PathEndpoint& path, Instant now, Actions& out);
  void send_register(const crypto::X25519Public& key, Relay& relay, const PathEndpoint& path, std::uint64_t cookie,
                     Actions& out);
  void send_open(const crypto::X25519Public& key, Relay& relay, const crypto::X25519Public& peer, Opening& opening,
                 Instant now, Actions& out);
  /// The relay says that it does not know us.
  void forgotten(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out);
  void failed(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out, Events& events);
  void step(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out, Events& events);
  void on_offer(const crypto::X25519Public& from, Relay& relay, const Offer& m, Instant now, Actions& out,
                Events& events);
  void on_opened(const crypto::X25519Public& from, Relay& relay, const Opened& m, Instant now, Events& events);
  void drop_channels(const crypto::X25519Public& relay, Events& events);
  [[nodiscard]] bool used_by_channel(const crypto::X25519Public& relay) const;

  const crypto::Ed25519KeyPair& root_;
  crypto::X25519Public self_;
  runtime::Random& random_;
  const runtime::Clock& wall_;
  const PathOptions& options_;
  Bytes self_record_;
  std::map<crypto::X25519Public, Relay> relays_;
  std::map<std::uint32_t, Channel> channels_;
  std::map<std::pair<crypto::X25519Public, std::uint64_t>, std::uint32_t> tokens_;
  std::unordered_map<PathEndpoint, crypto::X25519Public> by_path_;
  std::uint32_t next_via_ = 1;
};

}  // namespace bonus::net::nat
