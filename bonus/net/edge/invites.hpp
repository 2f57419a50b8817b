// What a gateway has handed out to stock WireGuard clients, kept in one durable file (docs/formats/net_edge.md).
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bonus/net/edge/delegation.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::net::edge {

inline constexpr std::size_t kMaxInvites = 1024, kMaxInviteName = 63;

struct Invite {
  std::string name;  ///< 1 to 63 of a-z, 0-9 and '-', no '-' at either end.
  crypto::X25519Public key;
  Hash32 preshared_key;
  bool exit = false;
  std::optional<Ipv6> ipv4;  ///< Mapped; of the exit's pool, with `exit` only.
  UnixSeconds created = 0;
  UnixSeconds expires = 0;  ///< 0: never.
  Bytes delegation;         ///< sign_client().

  [[nodiscard]] bool live(UnixSeconds now) const { return expires == 0 || now < expires; }
};

struct InviteRequest {
  std::string name;
  std::optional<crypto::X25519Public> key;  ///< Nothing: a key pair is made, and its private half is returned once.
  bool exit = false;
  UnixSeconds lifetime_s = 0;  ///< 0: no end.
};
struct Invitation {
  Invite invite;
  std::optional<crypto::X25519Secret> private_key;  ///< Kept nowhere.
};

struct GatewaySettings {
  std::string endpoint;  ///< What clients dial: "gate.example:51820".
  crypto::X25519Public tunnel_key;
  /// IPv4 addresses for clients of the exit; the first one of it is the gateway's. At most a /8 and at least a /30.
  std::optional<Prefix> ipv4_pool;
};

/// Thread-safe. Every change is on the disk before it is answered. Blocks while it writes.
class InviteRegistry {
 public:
  /// Reads `path`; a file that is not there is an empty registry. kCorrupt for one that cannot be read in full: which
  /// clients may come in is not guessed.
  [[nodiscard]] static Result<std::unique_ptr<InviteRegistry>> open(runtime::Disk& disk, std::string path,
                                                                    const crypto::Ed25519KeyPair& root);

  /// kExists: the name or the key is taken; kInvalid: name or key; kExhausted: too many, or the pool is empty. Expired
  /// invites are forgotten first.
  [[nodiscard]] Result<Invitation> invite(const InviteRequest& request, const std::optional<Prefix>& ipv4_pool,
                                          UnixSeconds now);
  /// kNotFound. The overlay must then be told (set_edge_peers), which ends a live session.
  [[nodiscard]] Result<> revoke(const std::string& name);
  /// Those that are live, by name.
  [[nodiscard]] std::vector<Invite> list(UnixSeconds now) const;
  [[nodiscard]] Result<Invite> find(const std::string& name, UnixSeconds now) const;
  /// When the next of them ends, to hand the list to the overlay again.
  [[nodiscard]] std::optional<UnixSeconds> next_expiry(UnixSeconds now) const;

  [[nodiscard]] Ipv6 address_of(const Invite& invite) const;
  /// Its /128 and its IPv4: what it may send from.
  [[nodiscard]] std::vector<Prefix> allowed_of(const Invite& invite) const;
  /// The file for wg-quick. With an invite of `exit` everything goes through the gateway, otherwise the overlay.
  [[nodiscard]] Result<std::string> config_of(const Invite& invite,
                                              const std::optional<crypto::X25519Secret>& private_key,
                                              const GatewaySettings& gateway) const;

 private:
  InviteRegistry(runtime::Disk& disk, std::string path, const crypto::Ed25519KeyPair& root)
      : disk_(disk), path_(std::move(path)), root_(root) {}
  [[nodiscard]] Result<> store(std::vector<Invite> next);

  runtime::Disk& disk_;
  const std::string path_;
  const crypto::Ed25519KeyPair root_;
  mutable std::mutex mutex_;
  std::vector<Invite> invites_;  // under mutex_; by name
};

}  // namespace bonus::net::edge
