// The configuration file that wg-quick(8) and wg(8) read, as far as a tunnel needs it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::tunnel {

/// An inner address with the prefix of its network: 10.0.0.2/24. `bits` in the mapped form (120 here).
struct InterfaceAddress {
  Ipv6 address;
  std::uint8_t bits = 128;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

struct PeerSection {
  crypto::X25519Public public_key;
  Hash32 preshared_key;  ///< Zero: none.
  std::vector<Prefix> allowed_ips;
  /// As written: "host:port", "[v6]:port". The shell resolves names.
  std::string endpoint_host;
  std::uint16_t endpoint_port = 0;  ///< 0: no endpoint.
  std::uint16_t persistent_keepalive_s = 0;
};

struct TunnelConfig {
  crypto::X25519Secret private_key;
  std::uint16_t listen_port = 0;  ///< 0: any.
  std::vector<InterfaceAddress> addresses;
  std::uint16_t mtu = 0;  ///< 0: the shell's default.
  std::vector<PeerSection> peers;
  std::vector<std::string> ignored;  ///< Keys that are known and have no effect here, with their lines, for a warning.
};

inline constexpr std::size_t kMaxConfigBytes = 4u << 20, kMaxConfigPeers = 65536;

/// `name` stands in messages: "name:line: what is wrong and what to write". kInvalid.
[[nodiscard]] Result<TunnelConfig> parse_config(std::string_view text, std::string_view name);

/// 44 characters of base64. kInvalid.
[[nodiscard]] Result<Hash32> parse_key(std::string_view text);
[[nodiscard]] std::string format_key(BytesView key);

}  // namespace bonus::net::tunnel
