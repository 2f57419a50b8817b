// What the cores of net/nat ask their shell to do.
#pragma once

#include <vector>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/path.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::nat {

enum class PathKind : std::uint8_t { kDirect, kRelayed, kTls };  ///< kTls: a relay channel, over TLS at our end.
[[nodiscard]] std::string_view to_string(PathKind kind);

/// How our router treats us, as far as the addresses that peers see can tell.
enum class NatKind : std::uint8_t {
  kUnknown,
  kOpen,       ///< Peers see an address of the machine itself.
  kCone,       ///< One external port for all peers: full cone, address- or port-restricted.
  kSymmetric,  ///< Another port for each peer.
  kBlocked,    ///< No UDP comes back: relays by TLS only.
};
[[nodiscard]] std::string_view to_string(NatKind kind);

/// Filled by the core, carried out and cleared by the shell, in the order of the members.
struct Actions {
  /// Open extra UDP sockets with these `via` numbers (kViaSocket | n); at most 256 at a time. What cannot be opened is
  /// simply not sent from.
  std::vector<std::uint32_t> open_sockets;
  /// Seal `payload` for `to` and send it on `path`: for a channel, prefixed by PathManager::wrap(). `mtu_probe`: with
  /// "don't fragment" and without counting an EMSGSIZE as an error. Everything else is small enough for any path.
  struct Send {
    crypto::X25519Public to;
    PathEndpoint path;
    DatagramKind kind = DatagramKind::kPath;
    Bytes payload;
    bool mtu_probe = false;
  };
  std::vector<Send> sends;
  /// The peer is reached on `path` from now on; also when only RTT (by more than a quarter) or MTU changed.
  struct PathChanged {
    crypto::X25519Public peer;
    PathEndpoint path;
    PathKind kind = PathKind::kDirect;
    Duration rtt{};
    std::uint16_t mtu = 1280;  ///< Largest inner (tunnel) packet that was proven to pass.
  };
  std::vector<PathChanged> changed;
  std::vector<crypto::X25519Public>
      lost;  ///< No path to this peer any more; it is still being looked for while wanted.
  /// Valid signed records of who probed us or answered: the tunnel may know these peers before their handshake comes.
  /// `by_key`: shown by the holder of the tunnel key that it names, so that root and key have both agreed; otherwise
  /// only the root says that the key is its own.
  struct Record {
    Bytes encoded;
    bool by_key = false;
  };
  std::vector<Record> records;
  /// PathManager::endpoints() gives something else than before: publish a new record, and set_self() it.
  bool endpoints_changed = false;
  /// Keep a TLS link to this relay (no UDP comes back from it): try the endpoints in order. May be said again while
  /// it is being tried. The shell reports link_up() and link_down(). `root` is zero when it is not known yet; the relay
  /// then proves itself by opening what is sealed for `relay`.
  struct WantLink {
    crypto::X25519Public relay;
    Ed25519PublicKey root;
    std::vector<UdpEndpoint> endpoints;
  };
  std::vector<WantLink> want_links;
  std::vector<std::uint32_t> close;  ///< Extra sockets and links that are not needed any more.
};

}  // namespace bonus::net::nat
