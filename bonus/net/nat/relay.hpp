// Relays carry datagrams between two nodes that cannot reach each other: server core and client core
// (docs/formats/net_path.md). A channel exists only while both ends have signed for it with their root keys. What is
// carried is the ends' own WireGuard and sealed datagrams: a relay sees addresses, sizes and times, nothing else.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>

#include "bonus/net/nat/actions.hpp"
#include "bonus/net/record/record.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::nat {

struct Register;
struct Open;
struct Accept;

/// First bytes of a relayed datagram: kRelayed, version, channel token of 8 bytes.
inline constexpr std::size_t kRelayHeader = 10;
inline constexpr std::size_t kMaxRelayed = 9100;  ///< Largest frame a relay carries.

/// What both ends sign: "bonus/relay/v1" || relay key || lower tunnel key || higher tunnel key || expires (8,
/// big-endian).
[[nodiscard]] Bytes permission_bytes(const crypto::X25519Public& relay, const crypto::X25519Public& a,
                                     const crypto::X25519Public& b, UnixSeconds expires);

struct RelayLimits {
  std::size_t clients = 1024;
  std::size_t channels = 4096;
  std::size_t channels_per_client = 64;
  double client_bytes_per_s = 12'500'000;  ///< 100 Mbit/s, of what it sends on all its channels.
  double client_burst_bytes = 1 << 20;
  double total_bytes_per_s = 125'000'000;
  double total_burst_bytes = 8 << 20;
  double requests_per_s = 5;  ///< Control messages of one client that cost a signature check or reach another node.
  double request_burst = 20;
};

/// Not thread-safe. Clients are known by their tunnel keys; a registration shows that the client answers at its address
/// (cookie) and who it is (record).
class RelayServer {
 public:
  RelayServer(const crypto::X25519Public& self, runtime::Random& random, const runtime::Clock& wall,
              RelayLimits limits);

  void on_control(const crypto::X25519Public& from, const PathEndpoint& path, BytesView payload, Instant now,
                  Actions& out);
  /// A relayed frame: rewrites its token in place and says where it goes; nothing: drop it.
  [[nodiscard]] std::optional<PathEndpoint> forward(std::span<std::uint8_t> frame, const PathEndpoint& from,
                                                    Instant now);
  void link_down(std::uint32_t link);
  void on_timer(Instant now);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  /// Where a registered client answers; for rendezvous.
  [[nodiscard]] std::optional<PathEndpoint> client_path(const crypto::X25519Public& client) const;

  /// What was carried between two nodes since the last call: the evidence that relaying is paid by.
  struct Usage {
    Ed25519PublicKey a, b;  ///< Root keys, the lower first.
    std::uint64_t bytes = 0, packets = 0;
  };
  [[nodiscard]] std::vector<Usage> take_usage();
  struct Stats {
    std::size_t clients = 0, channels = 0;
    std::uint64_t bytes = 0, packets = 0;       ///< Carried.
    std::uint64_t over_limit = 0, refused = 0;  ///< Dropped by a bucket; frames and requests without permission.
  };
  [[nodiscard]] Stats stats() const;

 private:
  struct Bucket {
    double tokens = -1;  // not used yet: full
    Instant at;
    bool take(double amount, double rate, double burst, Instant now);
  };
  struct Client {
    PathEndpoint path;
    NodeRecord record;
    Bytes encoded;
    Instant until;
    Bucket bytes, requests;
    std::set<std::uint64_t> channels;  // by this client's token
  };
  struct PendingOffer {
    UnixSeconds expires = 0;
    std::uint64_t nonce = 0;
    Instant until;
  };
  struct Side {
    crypto::X25519Public client, peer;
    Ed25519PublicKey root, peer_root;
    std::uint64_t peer_token = 0, nonce = 0;
    UnixSeconds expires = 0;
    Instant until;
    std::uint64_t bytes = 0, packets = 0;
  };
  using Pair = std::pair<crypto::X25519Public, crypto::X25519Public>;

  void on_register(const crypto::X25519Public& from, const PathEndpoint& path, const Register& m, Instant now,
                   Actions& out);
  void on_open(const crypto::X25519Public& from, Client& client, const Open& m, Instant now, Actions& out);
  void on_accept(const crypto::X25519Public& from, Client& client, const Accept& m, Instant now, Actions& out);
  /// For a client of this network, at the cost of a larger one's. False: there is none.
  bool make_room(const Ipv6& network);
  /// Half is used, of the asked client's channels or of all, and the asking network has its share of that.
  [[nodiscard]] bool crowded(const Client& asking, const Client& asked) const;
  void close_channel(std::uint64_t token);
  void drop_client(const crypto::X25519Public& key);
  void account(Side& side);
  [[nodiscard]] std::uint64_t cookie(const crypto::X25519Public& from, const PathEndpoint& path, Instant now,
                                     int age) const;
  [[nodiscard]] std::uint64_t new_token();

  crypto::X25519Public self_;
  runtime::Random& random_;
  const runtime::Clock& wall_;
  RelayLimits limits_;
  Hash32 cookie_key_;
  std::unordered_map<crypto::X25519Public, Client> clients_;
  std::map<Pair, PendingOffer> offers_;  // (asking, asked)
  std::unordered_map<std::uint64_t, Side> sides_;
  std::map<std::pair<Ed25519PublicKey, Ed25519PublicKey>, Usage> usage_;
  Bucket total_;
  Stats stats_;
  Instant swept_;
};

}  // namespace bonus::net::nat
