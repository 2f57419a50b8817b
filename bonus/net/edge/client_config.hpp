// The configuration file of a stock WireGuard client, as wg-quick(8) and the telephones' programs read it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::edge {

struct ClientConfig {
  std::string comment;                              ///< One line at the top; empty: none.
  std::optional<crypto::X25519Secret> private_key;  ///< Nothing: the line is left out, for the client to fill in.
  std::vector<Ipv6> addresses;                      ///< /128 and /32.
  std::optional<Ipv6> dns;
  std::uint16_t mtu = 1280;
  crypto::X25519Public gateway_key;
  Hash32 preshared_key;  ///< Zero: none.
  std::string endpoint;  ///< "host:port", "[v6]:port".
  std::vector<Prefix> allowed;
  std::uint16_t keepalive_s = 25;  ///< 0: none.
};

/// kInvalid: an endpoint or comment that would break the file.
[[nodiscard]] Result<std::string> format_client_config(const ClientConfig& config);

/// As a QR code of UTF-8 half blocks, four light modules around it (ISO/IEC 18004), error correction L. For a terminal
/// with light text on dark; `dark_text`: for dark text on light. kExhausted when it is too long for version 40 (2953
/// bytes).
[[nodiscard]] Result<std::string> qr_code(std::string_view text, bool dark_text = false);

}  // namespace bonus::net::edge
