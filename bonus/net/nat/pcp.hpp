// Port Control Protocol, opcode MAP: RFC 6887, sections 7 and 11. Encoding only.
#pragma once

#include <array>

#include "bonus/net/api/address.hpp"

namespace bonus::net::nat {

inline constexpr std::uint16_t kPcpPort = 5351;
inline constexpr std::size_t kPcpMapSize = 60, kPcpMaxSize = 1100;

struct PcpMap {
  std::uint32_t lifetime_s = 0;  ///< Asked or granted; 0 deletes.
  Ipv6 client;                   ///< Request: our address as the router must see it.
  std::array<std::uint8_t, 12> nonce{};
  std::uint16_t internal_port = 0;
  UdpEndpoint external;  ///< Suggested or assigned.
};
/// A request for UDP.
[[nodiscard]] Bytes encode_pcp_request(const PcpMap& m);
struct PcpAnswer {
  std::uint8_t result = 0;  ///< 0 is success (section 7.4).
  std::uint32_t epoch_s = 0;
  PcpMap map;
};
/// kInvalid: not a response to a MAP request for UDP of version 2. An error response may come without the rest:
/// `map.nonce` is zero then.
[[nodiscard]] Result<PcpAnswer> decode_pcp_answer(BytesView in);
/// Name of a result code.
[[nodiscard]] std::string pcp_result(std::uint8_t code);

}  // namespace bonus::net::nat
