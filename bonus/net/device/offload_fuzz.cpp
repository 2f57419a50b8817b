// Any virtio header before any packet: splitting stays inside its buffers, and what it made can be coalesced and split
// again into packets of no greater size.
#include <cstdlib>

#include "bonus/net/device/icmp.hpp"
#include "bonus/net/device/packet_testing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::net::device;
  VnetHeader header;
  if (size < sizeof header || size > 20000) return 0;
  std::memcpy(&header, data, sizeof header);
  const bonus::BytesView packet(data + sizeof header, size - sizeof header);
  std::ignore = packet_too_big(packet, 1280);
  bonus::Bytes own(packet.begin(), packet.end());
  clamp_mss(own, 1280);
  const auto pieces = testing::split(header, packet);
  if (pieces.size() > 2000) return 0;
  std::size_t largest = 0, total = 0, again = 0;
  for (const auto& piece : pieces) {
    largest = std::max(largest, piece.size());
    total += piece.size();
  }
  Coalescer coalescer({});
  for (const auto& w : testing::coalesce(coalescer, pieces)) {
    if (w.header.gso_type == kGsoNone) {
      again += w.packet.size();
      continue;
    }
    for (const auto& piece : testing::split(w.header, w.packet)) {
      if (piece.size() > largest) std::abort();
      again += piece.size();
    }
  }
  if (again != total) std::abort();
  return 0;
}
