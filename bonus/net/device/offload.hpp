// Segmentation in user space: one super packet of the kernel into packets of the path's size, and received packets
// back into super packets (virtio 1.2, section 5.1.6 "Device Operation"; Linux tun with IFF_VNET_HDR). Pure functions.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::net::device {

/// struct virtio_net_hdr in the machine's byte order: it stands before every packet on the TUN descriptor.
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t hdr_len = 0;   ///< Bytes of IP and transport header.
  std::uint16_t gso_size = 0;  ///< Payload bytes of each segment.
  std::uint16_t csum_start = 0, csum_offset = 0;
  friend bool operator==(const VnetHeader&, const VnetHeader&) = default;
};
static_assert(sizeof(VnetHeader) == 10);
inline constexpr std::uint8_t kNeedsChecksum = 1;
inline constexpr std::uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;
inline constexpr std::size_t kMaxIpPacket = 65535;

/// One packet read from the TUN, to be written out as packets with complete checksums. Borrows the bytes.
class Splitter {
 public:
  /// kInvalid when the header contradicts the packet: lengths, offsets, protocol, no segment size.
  [[nodiscard]] static Result<Splitter> open(const VnetHeader& header, BytesView packet);
  [[nodiscard]] std::size_t count() const { return count_; }  ///< At least 1.
  /// Bytes of packet `index`; all but the last have size(0).
  [[nodiscard]] std::size_t size(std::size_t index) const {
    return index + 1 < count_ ? header_size_ + segment_ : packet_.size() - segment_ * (count_ - 1);
  }
  /// Writes size(index) bytes.
  void write(std::size_t index, std::uint8_t* out) const;

 private:
  BytesView packet_;
  std::size_t count_ = 1, header_size_ = 0, segment_ = 0;
  std::uint16_t csum_start_ = 0, csum_offset_ = 0;
  bool checksum_ = false, tcp_ = false;
};

/// Gathers the packets of one batch into super packets. Payloads are not copied: the packets given must stay, writable,
/// until take() has been written. Packets of one flow keep their order. Not thread-safe; reuses its memory.
class Coalescer {
 public:
  struct Options {
    bool tcp = true;
    bool udp = true;  ///< Only when the TUN takes kGsoUdp (Linux 6.2).
  };
  explicit Coalescer(Options options) : options_(options) {}

  /// A whole IP packet; anything else passes through unchanged, too.
  void add(std::span<std::uint8_t> packet);
  /// Hands out every packet or super packet in order as header and pieces, then is empty. `pieces[0]` is the
  /// VnetHeader.
  template <class Write>
  void take(Write&& write) {
    for (std::size_t i = 0; i < used_; ++i) {
      finish(items_[i]);
      write(std::span<const iovec>(items_[i].pieces));
    }
    used_ = 0;
    open_.fill(kNone);
  }
  [[nodiscard]] bool empty() const { return used_ == 0; }

 private:
  struct Flow {
    std::size_t transport = 0, payload = 0;  // offsets
    std::uint8_t protocol = 0;
    std::uint32_t hash = 0;
    bool ends = false;  // nothing may follow in the same super packet
  };
  struct Item {
    VnetHeader header;
    std::vector<iovec> pieces;
    Flow flow;
    std::size_t total = 0, segment = 0;
    std::uint32_t next_sequence = 0;
    bool verified = false, closed = true;
  };
  static constexpr std::uint16_t kNone = 0xffff;
  // With the header's. Of UDP the kernel refuses what it could not have made itself: UDP_MAX_SEGMENTS, 64 before Linux
  // 6.9 and 128 since.
  static constexpr std::size_t kMaxPieces = 256, kMaxUdpPieces = 1 + 64;

  [[nodiscard]] bool classify(std::span<const std::uint8_t> packet, Flow& flow) const;
  [[nodiscard]] static bool append(Item& item, std::span<std::uint8_t> packet, const Flow& flow);
  static void finish(Item& item);
  Item& next_item(std::span<std::uint8_t> packet);

  Options options_;
  std::vector<Item> items_;
  std::size_t used_ = 0;
  std::array<std::uint16_t, 64> open_ = [] {
    std::array<std::uint16_t, 64> none{};
    none.fill(kNone);
    return none;
  }();
};

}  // namespace bonus::net::device
