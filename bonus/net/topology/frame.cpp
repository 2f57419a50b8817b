// Segmentation in software, only where single packets of a large frame have fates of their own, and ICMP.
#include "bonus/net/topology/frame.hpp"

#include <algorithm>
#include <cstring>

namespace bonus::net::topology {
namespace {

constexpr std::size_t kIp4Header = 20, kIp6Header = 40, kUdpHeader = 8, kTcpHeader = 20;
constexpr std::uint8_t kTcp = 6, kUdp = 17, kIcmp4 = 1, kIcmp6 = 58;
constexpr std::uint8_t kTcpFin = 0x01, kTcpPush = 0x08, kTcpCwr = 0x80;

std::uint16_t get16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }
void put16(std::uint8_t* p, std::size_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
std::uint32_t get32(const std::uint8_t* p) { return static_cast<std::uint32_t>(get16(p)) << 16 | get16(p + 2); }
void put32(std::uint8_t* p, std::uint32_t v) {
  put16(p, v >> 16);
  put16(p + 2, v & 0xffff);
}

/// RFC 1071, not inverted.
std::uint32_t sum(BytesView bytes, std::uint32_t start = 0) {
  std::uint64_t total = start;
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) total += get16(bytes.data() + i);
  if (i < bytes.size()) total += static_cast<std::uint64_t>(bytes[i]) << 8;
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<std::uint32_t>(total);
}

bool is_v6(BytesView packet) { return packet[0] >> 4 == 6; }

std::uint32_t pseudo_sum(BytesView packet, std::uint8_t protocol, std::size_t length) {
  const std::size_t at = is_v6(packet) ? 8 : 12, bytes = is_v6(packet) ? 32 : 8;
  const std::uint32_t start = static_cast<std::uint32_t>(protocol + (length & 0xffff) + (length >> 16));
  return sum(packet.subspan(at, bytes), start);
}

struct Layout {
  std::size_t l4 = 0, payload = 0;  // offsets
  std::size_t step = 0;
  bool tcp = false;
};

std::optional<Layout> layout_of(const Frame& frame) {
  const std::uint8_t type = frame.vnet.gso_type & static_cast<std::uint8_t>(~kGsoEcn);
  Layout out;
  out.tcp = type == kGsoTcp4 || type == kGsoTcp6;
  if ((!out.tcp && type != kGsoUdp) || frame.vnet.gso_size == 0) return std::nullopt;
  out.l4 = frame.vnet.csum_start;
  out.step = frame.vnet.gso_size;
  const std::size_t least = out.l4 + (out.tcp ? kTcpHeader : kUdpHeader);
  const auto ip = parse_packet(frame.data);
  if (!ip || out.l4 < ip->header || frame.data.size() < least) return std::nullopt;
  out.payload = out.tcp ? out.l4 + std::max<std::size_t>(kTcpHeader, (frame.data[out.l4 + 12] >> 4) * 4u) : least;
  if (frame.data.size() < out.payload) return std::nullopt;
  return out;
}

Frame segment(const Frame& whole, const Layout& at, std::size_t index, bool last) {
  const std::size_t from = at.payload + index * at.step, bytes = std::min(at.step, whole.data.size() - from);
  Frame out;
  out.data.resize(at.payload + bytes);
  std::memcpy(out.data.data(), whole.data.data(), at.payload);
  std::memcpy(out.data.data() + at.payload, whole.data.data() + from, bytes);
  std::uint8_t* const p = out.data.data();
  if (is_v6(out.data)) {
    put16(p + 4, out.data.size() - kIp6Header);
  } else {
    put16(p + 2, out.data.size());
    put16(p + 4, get16(p + 4) + index);
    put16(p + 10, 0);
    put16(p + 10, ~sum(BytesView(out.data).first((p[0] & 0x0fu) * 4u)) & 0xffff);
  }
  std::uint8_t* const l4 = p + at.l4;
  const std::size_t l4_bytes = out.data.size() - at.l4;
  if (at.tcp) {
    put32(l4 + 4, get32(l4 + 4) + static_cast<std::uint32_t>(index * at.step));
    if (!last) l4[13] &= static_cast<std::uint8_t>(~(kTcpFin | kTcpPush));
    if (index != 0) l4[13] &= static_cast<std::uint8_t>(~kTcpCwr);
  } else {
    put16(l4 + 4, l4_bytes);
  }
  // The rest of the sum is left to the device, as it was for the whole.
  put16(l4 + (at.tcp ? 16 : 6), pseudo_sum(out.data, at.tcp ? kTcp : kUdp, l4_bytes));
  out.vnet.flags = kNeedsCsum;
  out.vnet.csum_start = whole.vnet.csum_start;
  out.vnet.csum_offset = static_cast<std::uint16_t>(at.tcp ? 16 : 6);
  return out;
}

}  // namespace

std::optional<IpView> parse_packet(BytesView packet) {
  IpView out;
  if (packet.size() >= kIp4Header && packet[0] >> 4 == 4) {
    out.header = (packet[0] & 0x0fu) * 4u;
    if (out.header < kIp4Header || packet.size() < out.header) return std::nullopt;
    out.source.bytes[10] = out.source.bytes[11] = 0xff;
    out.destination.bytes[10] = out.destination.bytes[11] = 0xff;
    std::memcpy(out.source.bytes.data() + 12, packet.data() + 12, 4);
    std::memcpy(out.destination.bytes.data() + 12, packet.data() + 16, 4);
    out.protocol = packet[9];
    out.dont_fragment = (packet[6] & 0x40) != 0;
    return out;
  }
  if (packet.size() >= kIp6Header && packet[0] >> 4 == 6) {
    out.header = kIp6Header;
    std::memcpy(out.source.bytes.data(), packet.data() + 8, 16);
    std::memcpy(out.destination.bytes.data(), packet.data() + 24, 16);
    out.protocol = packet[6];
    return out;
  }
  return std::nullopt;
}

std::size_t segment_count(const Frame& frame) {
  const auto at = layout_of(frame);
  if (!at) return 1;
  const std::size_t payload = frame.data.size() - at->payload;
  return std::max<std::size_t>(1, (payload + at->step - 1) / at->step);
}

std::size_t segment_bytes(const Frame& frame) {
  const auto at = layout_of(frame);
  return at ? std::min(frame.data.size(), at->payload + at->step) : frame.data.size();
}

std::vector<Frame> split(const Frame& frame) {
  std::vector<Frame> out;
  const auto at = layout_of(frame);
  if (!at) {
    if (frame.vnet.gso_type == kGsoNone) out.push_back(frame);
    return out;
  }
  const std::size_t count = segment_count(frame);
  for (std::size_t i = 0; i < count; ++i) out.push_back(segment(frame, *at, i, i + 1 == count));
  return out;
}

std::optional<Frame> packet_too_big(BytesView packet, const Ipv6& router, std::uint32_t mtu) {
  const auto view = parse_packet(packet);
  if (!view || view->protocol == kIcmp4 || view->protocol == kIcmp6) return std::nullopt;
  Frame out;
  if (is_ipv4(view->source)) {
    const std::size_t quoted = std::min(packet.size(), view->header + 8);
    out.data.resize(kIp4Header + 8 + quoted);
    std::uint8_t* const p = out.data.data();
    p[0] = 0x45;
    put16(p + 2, out.data.size());
    p[8] = 64;
    p[9] = kIcmp4;
    std::memcpy(p + 12, router.bytes.data() + 12, 4);
    std::memcpy(p + 16, view->source.bytes.data() + 12, 4);
    put16(p + 10, ~sum(BytesView(out.data).first(kIp4Header)) & 0xffff);
    std::uint8_t* const icmp = p + kIp4Header;
    icmp[0] = 3;  // destination unreachable,
    icmp[1] = 4;  // fragmentation needed
    put16(icmp + 6, mtu);
    std::memcpy(icmp + 8, packet.data(), quoted);
    put16(icmp + 2, ~sum(BytesView(out.data).subspan(kIp4Header)) & 0xffff);
    return out;
  }
  constexpr std::size_t kLeastMtu = 1280;  // RFC 4443, section 2.4 (c)
  const std::size_t quoted = std::min(packet.size(), kLeastMtu - kIp6Header - 8);
  out.data.resize(kIp6Header + 8 + quoted);
  std::uint8_t* const p = out.data.data();
  p[0] = 0x60;
  put16(p + 4, 8 + quoted);
  p[6] = kIcmp6;
  p[7] = 64;
  std::memcpy(p + 8, router.bytes.data(), 16);
  std::memcpy(p + 24, view->source.bytes.data(), 16);
  std::uint8_t* const icmp = p + kIp6Header;
  icmp[0] = 2;
  put32(icmp + 4, mtu);
  std::memcpy(icmp + 8, packet.data(), quoted);
  const std::uint32_t pseudo = pseudo_sum(out.data, kIcmp6, 8 + quoted);
  put16(icmp + 2, ~sum(BytesView(out.data).subspan(kIp6Header), pseudo) & 0xffff);
  return out;
}

}  // namespace bonus::net::topology
