// Packets for the tests of this folder: TCP and UDP over both families, with right checksums.
#pragma once

#include <vector>

#include "bonus/net/device/checksum.hpp"
#include "bonus/net/device/offload.hpp"

namespace bonus::net::device::testing {

struct Shape {
  bool v6 = true, tcp = true;
  std::uint16_t source_port = 1000;
  std::uint32_t sequence = 0;
  std::uint8_t flags = 0x10;  // ACK
  std::size_t options = 12;   // bytes of TCP options, a multiple of four
  std::uint8_t host = 1;      // last byte of the source address
  std::uint16_t id = 0;
};
inline std::size_t ip_size(const Shape& s) { return s.v6 ? 40 : 20; }
inline std::size_t header_size(const Shape& s) { return ip_size(s) + (s.tcp ? 20 + s.options : 8); }

/// A packet around `payload`; its transport checksum holds the pseudo header's sum only when `partial`.
inline Bytes make_packet(const Shape& s, BytesView payload, bool partial = false) {
  const std::size_t start = ip_size(s);
  Bytes out(header_size(s) + payload.size());
  const std::uint8_t protocol = s.tcp ? 6 : 17;
  if (s.v6) {
    out[0] = 0x60;
    store_be16(&out[4], out.size() - 40);
    out[6] = protocol;
    out[7] = 64;
    out[8] = out[24] = 0xfd;
    out[23] = s.host;
    out[39] = 2;
  } else {
    out[0] = 0x45;
    store_be16(&out[2], out.size());
    store_be16(&out[4], s.id);
    out[6] = 0x40;
    out[8] = 64;
    out[9] = protocol;
    out[12] = out[16] = 10;
    out[15] = s.host;
    out[19] = 2;
    finish_ipv4_header(out.data(), 20);
  }
  std::uint8_t* transport = &out[start];
  store_be16(transport, s.source_port);
  store_be16(transport + 2, 80);
  if (s.tcp) {
    store_be32(transport + 4, s.sequence);
    store_be32(transport + 8, 7);
    transport[12] = static_cast<std::uint8_t>((20 + s.options) / 4 * 16);
    transport[13] = s.flags;
    store_be16(transport + 14, 512);
    std::fill_n(transport + 20, s.options, std::uint8_t{1});  // no-operation
  } else {
    store_be16(transport + 4, out.size() - start);
  }
  std::copy(payload.begin(), payload.end(), out.begin() + static_cast<std::ptrdiff_t>(header_size(s)));
  std::uint8_t* field = transport + (s.tcp ? 16 : 6);
  const std::uint64_t pseudo = pseudo_header_sum(out.data(), protocol, out.size() - start);
  if (partial)
    store_checksum(field, checksum_fold(pseudo));
  else
    store_checksum(field, checksum_finish(checksum_add(BytesView(out).subspan(start), pseudo)));
  return out;
}

inline VnetHeader super_header(const Shape& s, std::size_t segment) {
  VnetHeader out;
  out.flags = kNeedsChecksum;
  out.gso_type = !s.tcp ? kGsoUdp : s.v6 ? kGsoTcp6 : kGsoTcp4;
  out.hdr_len = static_cast<std::uint16_t>(header_size(s));
  out.gso_size = static_cast<std::uint16_t>(segment);
  out.csum_start = static_cast<std::uint16_t>(ip_size(s));
  out.csum_offset = s.tcp ? 16 : 6;
  return out;
}

inline std::vector<Bytes> split(const VnetHeader& header, BytesView packet) {
  std::vector<Bytes> out;
  const auto splitter = Splitter::open(header, packet);
  if (!splitter) return out;
  for (std::size_t i = 0; i < splitter->count(); ++i) splitter->write(i, out.emplace_back(splitter->size(i)).data());
  return out;
}

struct Written {
  VnetHeader header;
  Bytes packet;
};
/// Everything that the coalescer makes of these packets.
inline std::vector<Written> coalesce(Coalescer& coalescer, std::vector<Bytes> packets) {
  for (auto& packet : packets) coalescer.add(packet);
  std::vector<Written> out;
  coalescer.take([&](std::span<const iovec> pieces) {
    Written& w = out.emplace_back();
    std::memcpy(&w.header, pieces[0].iov_base, sizeof w.header);
    for (const iovec& piece : pieces.subspan(1))
      append(w.packet, {static_cast<const std::uint8_t*>(piece.iov_base), piece.iov_len});
  });
  return out;
}

/// Whether IPv4's header sum and the transport's sum are right.
inline bool checksums_are_right(BytesView p) {
  const bool v6 = p[0] >> 4 == 6;
  const std::size_t start = v6 ? 40 : std::size_t{p[0] & 15u} * 4;
  if (!v6 && checksum_fold(checksum_add(p.first(start))) != 0xffff) return false;
  const auto body = p.subspan(start);
  return checksum_fold(checksum_add(body, pseudo_header_sum(p.data(), p[v6 ? 6 : 9], body.size()))) == 0xffff;
}

}  // namespace bonus::net::device::testing
