// Splitting super packets and coalescing packets (virtio 1.2, section 5.1.6; the rules of Linux' net/ipv4/tcp_offload).
#include "bonus/net/device/offload.hpp"

#include <algorithm>
#include <cassert>

#include "bonus/net/device/checksum.hpp"

namespace bonus::net::device {
namespace {

constexpr std::uint8_t kTcp = 6, kUdp = 17;
constexpr std::uint8_t kFin = 0x01, kPsh = 0x08, kAck = 0x10, kCwr = 0x80;
constexpr std::size_t kIpv6Header = 40, kIpv4Header = 20, kUdpHeader = 8, kTcpHeader = 20;

bool is_v6(const std::uint8_t* ip) { return ip[0] >> 4 == 6; }

// The length fields of IP and, for UDP, of the transport; the IPv4 header's checksum is left to the caller.
void set_lengths(std::uint8_t* ip, std::size_t transport, std::size_t total, bool udp) {
  if (is_v6(ip))
    store_be16(ip + 4, total - kIpv6Header);
  else
    store_be16(ip + 2, total);
  if (udp) store_be16(ip + transport + 4, total - transport);
}

}  // namespace

Result<Splitter> Splitter::open(const VnetHeader& header, BytesView packet) {
  Splitter out;
  out.packet_ = packet;
  if (packet.size() < kIpv4Header || packet.size() > kMaxIpPacket) return fail(ErrorCode::kInvalid, "not an IP packet");
  const bool v6 = is_v6(packet.data());
  if (v6 ? packet.size() < kIpv6Header : packet[0] >> 4 != 4) return fail(ErrorCode::kInvalid, "not an IP packet");
  const std::uint8_t type = header.gso_type & static_cast<std::uint8_t>(~kGsoEcn);
  const std::size_t start = header.csum_start, least = v6 ? kIpv6Header : kIpv4Header;
  out.checksum_ = (header.flags & kNeedsChecksum) != 0;
  out.csum_start_ = header.csum_start;
  out.csum_offset_ = header.csum_offset;
  if (out.checksum_ && (start < least || start + header.csum_offset + 2u > packet.size()))
    return fail(ErrorCode::kInvalid, "the checksum lies outside the packet");
  if (type == kGsoNone) return out;

  out.tcp_ = type == kGsoTcp4 || type == kGsoTcp6;
  if ((!out.tcp_ && type != kGsoUdp) || (type == kGsoTcp4 && v6) || (type == kGsoTcp6 && !v6))
    return fail(ErrorCode::kInvalid, "unknown or contradictory segmentation type");
  if (!out.checksum_ || header.csum_offset != (out.tcp_ ? 16 : 6) || header.gso_size == 0)
    return fail(ErrorCode::kInvalid, "a super packet without checksum place or segment size");
  if (packet.size() < start + (out.tcp_ ? kTcpHeader : kUdpHeader))
    return fail(ErrorCode::kInvalid, "a super packet without transport header");
  if (!v6 && (std::size_t{packet[0] & 15u} * 4 != start || packet[9] != (out.tcp_ ? kTcp : kUdp)))
    return fail(ErrorCode::kInvalid, "a super packet whose IPv4 header contradicts its type");
  // hdr_len is a hint only (virtio 1.2, 5.1.6.2): a forwarded packet may have it wrong.
  out.header_size_ = start + (out.tcp_ ? std::size_t{packet[start + 12]} / 16 * 4 : kUdpHeader);
  if (out.tcp_ && out.header_size_ < start + kTcpHeader)
    return fail(ErrorCode::kInvalid, "a TCP header shorter than 20 bytes");
  if (out.header_size_ >= packet.size()) return fail(ErrorCode::kInvalid, "a super packet without payload");
  out.segment_ = header.gso_size;
  out.count_ = (packet.size() - out.header_size_ + out.segment_ - 1) / out.segment_;
  return out;
}

void Splitter::write(std::size_t index, std::uint8_t* out) const {
  if (segment_ == 0) {
    if (!checksum_) {
      std::memcpy(out, packet_.data(), packet_.size());
      return;
    }
    // The field holds the pseudo header's sum already.
    std::memcpy(out, packet_.data(), csum_start_);
    std::uint16_t sum = checksum_finish(checksum_copy(out + csum_start_, packet_.subspan(csum_start_)));
    if (sum == 0 && csum_offset_ == 6) sum = 0xffff;  // UDP: zero means none (RFC 768)
    store_checksum(out + csum_start_ + csum_offset_, sum);
    return;
  }
  const std::size_t total = size(index), start = csum_start_, first = header_size_ + segment_ * index;
  const bool last = index + 1 == count_;
  std::memcpy(out, packet_.data(), header_size_);
  set_lengths(out, start, total, !tcp_);
  if (!is_v6(out)) {
    store_be16(out + 4, load_be16(out + 4) + index);
    finish_ipv4_header(out, start);
  }
  std::uint8_t* transport = out + start;
  if (tcp_) {
    store_be32(transport + 4, load_be32(transport + 4) + static_cast<std::uint32_t>(segment_ * index));
    if (!last) transport[13] &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (index != 0) transport[13] &= static_cast<std::uint8_t>(~kCwr);  // RFC 3168, section 6.1.2: once
  }
  store_be16(transport + csum_offset_, 0);
  std::uint64_t sum = pseudo_header_sum(out, tcp_ ? kTcp : kUdp, total - start);
  // The headers' length may be odd only by whole 32-bit words, so that the sums add up.
  sum = checksum_add({transport, header_size_ - start}, sum);
  sum = checksum_copy(out + header_size_, packet_.subspan(first, total - header_size_), sum);
  std::uint16_t checksum = checksum_finish(sum);
  if (checksum == 0 && !tcp_) checksum = 0xffff;
  store_checksum(transport + csum_offset_, checksum);
}

// True when the packet may start a super packet; flow.hash is set for every packet whose ports can be read.
bool Coalescer::classify(std::span<const std::uint8_t> packet, Flow& flow) const {
  if (packet.size() < kIpv4Header) return false;
  const std::uint8_t* ip = packet.data();
  std::size_t length = 0;
  bool plain = true;
  if (is_v6(ip)) {
    if (packet.size() < kIpv6Header) return false;
    flow.protocol = ip[6];
    flow.transport = kIpv6Header;
    length = kIpv6Header + load_be16(ip + 4);
  } else {
    if (ip[0] >> 4 != 4 || (load_be16(ip + 6) & 0x3fff) != 0) return false;  // fragments pass
    flow.protocol = ip[9];
    flow.transport = std::size_t{ip[0] & 15u} * 4;
    length = load_be16(ip + 2);
    plain = ip[0] == 0x45;
  }
  if ((flow.protocol != kTcp && flow.protocol != kUdp) || flow.transport < kIpv4Header ||
      packet.size() < flow.transport + (flow.protocol == kTcp ? kTcpHeader : kUdpHeader))
    return false;
  const std::uint8_t* transport = ip + flow.transport;
  std::uint64_t mixed = load_be32(transport) * 0x9e3779b97f4a7c15ull;
  for (std::size_t i = is_v6(ip) ? 8 : 12; i < flow.transport && i < kIpv6Header; i += 4)
    mixed = (mixed ^ load_be32(ip + i)) * 0x9e3779b97f4a7c15ull;
  flow.hash = static_cast<std::uint32_t>(mixed >> 32) | 1u;  // zero: not known
  if (!plain || length != packet.size()) return false;
  if (flow.protocol == kTcp) {
    const std::size_t header = std::size_t{transport[12]} / 16 * 4;
    const std::uint8_t flags = transport[13];
    flow.payload = flow.transport + header;
    flow.ends = (flags & kPsh) != 0;
    return options_.tcp && header >= kTcpHeader && flow.payload < packet.size() && (transport[12] & 15) == 0 &&
           (flags & ~kPsh) == kAck;
  }
  flow.payload = flow.transport + kUdpHeader;
  return options_.udp && flow.payload < packet.size() && load_be16(transport + 4) == packet.size() - flow.transport &&
         (transport[6] | transport[7]) != 0;
}

namespace {

bool checksum_is_right(std::span<const std::uint8_t> packet, std::size_t transport, std::uint8_t protocol) {
  const auto body = packet.subspan(transport);
  if (!is_v6(packet.data()) && checksum_fold(checksum_add(packet.first(transport))) != 0xffff) return false;
  return checksum_fold(checksum_add(body, pseudo_header_sum(packet.data(), protocol, body.size()))) == 0xffff;
}

// Everything of the headers that the segments of one super packet share.
bool same_headers(const std::uint8_t* a, const std::uint8_t* b, std::size_t transport, std::size_t payload, bool tcp) {
  if (a[0] != b[0]) return false;
  if (is_v6(a)) {
    if (std::memcmp(a, b, 4) != 0 || std::memcmp(a + 6, b + 6, 34) != 0) return false;
  } else if (a[1] != b[1] || std::memcmp(a + 6, b + 6, 4) != 0 || std::memcmp(a + 12, b + 12, 8) != 0) {
    return false;  // the lengths, the identification and the checksum may differ
  }
  a += transport, b += transport;
  if (std::memcmp(a, b, 4) != 0) return false;
  if (!tcp) return true;
  // Acknowledgement, data offset, window, options.
  return std::memcmp(a + 8, b + 8, 5) == 0 && std::memcmp(a + 14, b + 14, 2) == 0 &&
         std::memcmp(a + kTcpHeader, b + kTcpHeader, payload - transport - kTcpHeader) == 0;
}

}  // namespace

Coalescer::Item& Coalescer::next_item(std::span<std::uint8_t> packet) {
  if (used_ == items_.size()) items_.emplace_back();
  Item& item = items_[used_++];
  item.header = {};
  item.pieces.resize(1);
  item.pieces.push_back({packet.data(), packet.size()});
  item.total = packet.size();
  item.closed = true;
  item.verified = false;
  return item;
}

bool Coalescer::append(Item& item, std::span<std::uint8_t> packet, const Flow& flow) {
  const std::size_t size = packet.size() - flow.payload;
  const bool tcp = flow.protocol == kTcp;
  auto* head = static_cast<std::uint8_t*>(item.pieces[1].iov_base);
  if (item.closed || item.flow.protocol != flow.protocol || item.flow.payload != flow.payload || size > item.segment ||
      item.total + size > kMaxIpPacket || item.pieces.size() >= (tcp ? kMaxPieces : kMaxUdpPieces))
    return false;
  if (tcp && load_be32(packet.data() + flow.transport + 4) != item.next_sequence) return false;
  if (!same_headers(head, packet.data(), flow.transport, flow.payload, tcp)) return false;
  if (!item.verified) {
    if (!checksum_is_right({head, item.total}, flow.transport, flow.protocol)) return false;
    item.verified = true;
  }
  if (!checksum_is_right(packet, flow.transport, flow.protocol)) return false;
  if (tcp && flow.ends) head[flow.transport + 13] |= kPsh;
  item.pieces.push_back({packet.data() + flow.payload, size});
  item.total += size;
  item.next_sequence += static_cast<std::uint32_t>(size);
  item.closed = flow.ends || size < item.segment;
  return true;
}

void Coalescer::add(std::span<std::uint8_t> packet) {
  Flow flow;
  const bool fits = classify(packet, flow);
  if (flow.hash == 0) {  // its flow is not known: nothing may overtake it
    open_.fill(kNone);
    next_item(packet);
    return;
  }
  std::uint16_t& slot = open_[(flow.hash >> 8) % open_.size()];
  if (fits && slot != kNone && items_[slot].flow.hash == flow.hash && append(items_[slot], packet, flow)) return;
  Item& item = next_item(packet);
  slot = kNone;
  if (!fits || used_ > kNone) return;
  item.flow = flow;
  item.closed = flow.ends;
  item.segment = packet.size() - flow.payload;
  if (flow.protocol == kTcp)
    item.next_sequence = load_be32(packet.data() + flow.transport + 4) + static_cast<std::uint32_t>(item.segment);
  slot = static_cast<std::uint16_t>(used_ - 1);
}

void Coalescer::finish(Item& item) {
  item.pieces[0] = {&item.header, sizeof item.header};
  if (item.pieces.size() == 2) return;
  auto* ip = static_cast<std::uint8_t*>(item.pieces[1].iov_base);
  const bool tcp = item.flow.protocol == kTcp;
  const std::size_t start = item.flow.transport, offset = tcp ? 16 : 6;
  set_lengths(ip, start, item.total, !tcp);
  if (!is_v6(ip)) finish_ipv4_header(ip, start);
  // The kernel finishes the checksum from the pseudo header's sum.
  store_checksum(ip + start + offset, checksum_fold(pseudo_header_sum(ip, item.flow.protocol, item.total - start)));
  item.header.flags = kNeedsChecksum;
  item.header.gso_type = !tcp ? kGsoUdp : is_v6(ip) ? kGsoTcp6 : kGsoTcp4;
  item.header.hdr_len = static_cast<std::uint16_t>(item.flow.payload);
  item.header.gso_size = static_cast<std::uint16_t>(item.segment);
  item.header.csum_start = static_cast<std::uint16_t>(start);
  item.header.csum_offset = static_cast<std::uint16_t>(offset);
}

}  // namespace bonus::net::device
