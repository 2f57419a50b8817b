// Outbound: packets of the TUN, split, encrypted where they were written and gathered into messages for UDP_SEGMENT.
// Internal to the folder.
#pragma once

#include "bonus/net/device/cipher.hpp"
#include "bonus/net/device/core.hpp"

namespace bonus::net::device {

/// One a thread.
class Sender {
 public:
  explicit Sender(Core& core);
  /// A packet or super packet of the TUN. It is copied.
  void send(const VnetHeader& header, BytesView packet, Instant now);
  /// A whole packet over a session known already.
  void send_over(const tunnel::Route& route, BytesView packet, Instant now);
  /// Bytes that wait for flush().
  [[nodiscard]] std::size_t pending() const { return used_; }
  void flush();
  /// Lets go of sessions that have ended, and their keys.
  void forget_ended(Instant now);

  struct Counters {
    Counter packets, bytes, sends, malformed, no_session, refused, too_big;
  };
  Counters counters;

 private:
  struct Entry {  // of the route cache, valid while both versions are the current ones
    Ipv6 destination;
    tunnel::Route route;
    std::uint32_t mtu = 0;
    std::uint64_t version = 0, mtu_version = 0;
    bool used = false;
  };
  struct Group {  // one message of equal datagrams
    tunnel::Endpoint to;
    std::size_t offset = 0, length = 0, segment = 0, count = 0;
    bool closed = false;
  };
  [[nodiscard]] Entry* find(const Ipv6& destination, Instant now);
  void queue(const Splitter& splitter, const Ipv6& destination);
  /// True: the packet was answered and must not be sent.
  [[nodiscard]] bool refuse_too_big(const Splitter& splitter, std::uint32_t mtu);
  void encrypt(const Splitter& splitter, const tunnel::Route& route, std::uint32_t mtu, Instant now);
  [[nodiscard]] std::uint8_t* reserve(const tunnel::Endpoint& to, std::size_t datagram);

  Core& core_;
  PacketCipher cipher_;
  std::vector<Entry> cache_;
  std::vector<std::uint8_t> arena_, scratch_;
  std::size_t used_ = 0;
  std::vector<Group> groups_;
  std::vector<UdpMessage> messages_;
};

}  // namespace bonus::net::device
