// Packet Too Big and MSS clamping; every read is checked against the packet's size.
#include "bonus/net/device/icmp.hpp"

#include <algorithm>

#include "bonus/net/device/checksum.hpp"

namespace bonus::net::device {
namespace {

constexpr std::uint8_t kTcp = 6, kIcmp = 1, kIcmp6 = 58;
constexpr std::size_t kIpv6Header = 40, kIpv4Header = 20, kTcpHeader = 20, kIcmpHeader = 8;
constexpr std::size_t kMinimumIpv6Mtu = 1280;
constexpr std::uint8_t kSyn = 0x02, kOptionEnd = 0, kOptionNop = 1, kOptionMss = 2;

// RFC 1624, equation 3, on 16-bit words.
void replace_word(std::uint8_t* checksum, std::uint16_t before, std::uint16_t after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~load_be16(checksum));
  sum += static_cast<std::uint16_t>(~before);
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(checksum, static_cast<std::uint16_t>(~sum));
}

Bytes too_big_v6(BytesView packet, std::size_t mtu) {
  // An error must not answer an error (RFC 4443, section 2.4 (e)); types below 128 are errors.
  if (packet[6] == kIcmp6 && packet.size() > kIpv6Header && packet[kIpv6Header] < 128) return {};
  if (packet[8] == 0xff || packet[24] == 0xff) return {};  // multicast source or destination
  const std::size_t quoted = std::min(packet.size(), kMinimumIpv6Mtu - kIpv6Header - kIcmpHeader);
  Bytes out(kIpv6Header + kIcmpHeader + quoted);
  out[0] = 0x60;
  store_be16(&out[4], kIcmpHeader + quoted);
  out[6] = kIcmp6;
  out[7] = 64;
  std::copy_n(&packet[24], 16, &out[8]);
  std::copy_n(&packet[8], 16, &out[24]);
  out[kIpv6Header] = 2;
  store_be32(&out[kIpv6Header + 4], static_cast<std::uint32_t>(std::max(mtu, kMinimumIpv6Mtu)));
  std::copy_n(packet.data(), quoted, &out[kIpv6Header + kIcmpHeader]);
  const auto body = BytesView(out).subspan(kIpv6Header);
  store_checksum(&out[kIpv6Header + 2],
                 checksum_finish(checksum_add(body, pseudo_header_sum(out.data(), kIcmp6, body.size()))));
  return out;
}

Bytes too_big_v4(BytesView packet, std::size_t mtu) {
  const std::size_t header = std::size_t{packet[0] & 15u} * 4;
  if (header < kIpv4Header || header > packet.size()) return {};
  const std::uint16_t fragment = load_be16(&packet[6]);
  if ((fragment & 0x4000) == 0 || (fragment & 0x1fff) != 0) return {};
  if (packet[16] >= 224 || packet[12] >= 224 || packet[12] == 0) return {};
  if (packet[9] == kIcmp && packet.size() > header && packet[header] != 0 && packet[header] != 8) return {};
  const std::size_t quoted = std::min<std::size_t>(packet.size(), 548);  // RFC 1812, section 4.3.2.3: 576 in all
  Bytes out(kIpv4Header + kIcmpHeader + quoted);
  out[0] = 0x45;
  out[1] = 0xc0;  // RFC 1812, section 4.3.2.5
  store_be16(&out[2], out.size());
  out[8] = 64;
  out[9] = kIcmp;
  std::copy_n(&packet[16], 4, &out[12]);
  std::copy_n(&packet[12], 4, &out[16]);
  finish_ipv4_header(out.data(), kIpv4Header);
  out[kIpv4Header] = 3;
  out[kIpv4Header + 1] = 4;
  store_be16(&out[kIpv4Header + 6], std::min<std::size_t>(mtu, 65535));
  std::copy_n(packet.data(), quoted, &out[kIpv4Header + kIcmpHeader]);
  store_checksum(&out[kIpv4Header + 2], checksum_finish(checksum_add(BytesView(out).subspan(kIpv4Header))));
  return out;
}

}  // namespace

void clamp_mss(std::span<std::uint8_t> packet, std::size_t mtu) {
  if (packet.size() < kIpv4Header + kTcpHeader) return;
  const bool v6 = packet[0] >> 4 == 6;
  const std::size_t start = v6 ? kIpv6Header : std::size_t{packet[0] & 15u} * 4;
  if (packet[v6 ? 6 : 9] != kTcp || packet.size() < start + kTcpHeader || start < kIpv4Header) return;
  if (!v6 && (load_be16(&packet[6]) & 0x1fff) != 0) return;
  auto tcp = packet.subspan(start);
  const std::size_t header = std::size_t{tcp[12]} / 16 * 4;
  if ((tcp[13] & kSyn) == 0 || header > tcp.size()) return;
  // The option counts payload after headers without options (RFC 6691).
  const std::size_t limit = mtu - kTcpHeader - (v6 ? kIpv6Header : kIpv4Header);
  for (std::size_t at = kTcpHeader; at + 1 < header && tcp[at] != kOptionEnd;) {
    if (tcp[at] == kOptionNop) {
      ++at;
      continue;
    }
    const std::size_t length = tcp[at + 1];
    if (length < 2 || at + length > header) return;
    if (tcp[at] == kOptionMss && length == 4) {
      const std::uint16_t before = load_be16(&tcp[at + 2]);
      if (before <= limit) return;
      const auto after = static_cast<std::uint16_t>(limit);
      store_be16(&tcp[at + 2], after);
      // At an odd offset the two bytes stand in different words of the sum.
      const auto swap = [&](std::uint16_t x) {
        return at % 2 == 0 ? x : static_cast<std::uint16_t>((x << 8) | (x >> 8));
      };
      replace_word(&tcp[16], swap(before), swap(after));
      return;
    }
    at += length;
  }
}

Bytes packet_too_big(BytesView packet, std::size_t mtu) {
  if (packet.size() >= kIpv6Header && packet[0] >> 4 == 6) return too_big_v6(packet, mtu);
  if (packet.size() >= kIpv4Header && packet[0] >> 4 == 4) return too_big_v4(packet, mtu);
  return {};
}

}  // namespace bonus::net::device
