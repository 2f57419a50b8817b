// A UDP socket for bulk: many datagrams a system call by recvmmsg and sendmmsg, many datagrams a message by UDP_GRO and
// UDP_SEGMENT (Linux Documentation/networking/segmentation-offloads.rst).
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "bonus/net/api/address.hpp"
#include "bonus/net/host/fd.hpp"

namespace bonus::net::device {

struct UdpOptions {
  Ipv6 bind;               ///< Zero: all addresses of both families.
  std::uint16_t port = 0;  ///< 0: any.
  bool offload = true;     ///< UDP_SEGMENT and UDP_GRO.
  int buffer_bytes =
      7 << 20;             ///< Of each direction; the kernel may clamp it (net.core.rmem_max without CAP_NET_ADMIN).
  std::uint32_t mark = 0;  ///< SO_MARK; 0: none.
  bool reuse_port = false;
};

/// Several datagrams of `segment` bytes, the last possibly shorter, to one endpoint.
struct UdpMessage {
  UdpEndpoint to;
  BytesView bytes;
  std::size_t segment = 0;  ///< 0: one datagram.
};

/// Sending is thread-safe; receiving belongs to one thread.
class UdpSocket {
 public:
  /// kDenied, kConflict (the port is taken), kIo. IPv4 alone where the machine has no IPv6.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>> open(const UdpOptions& options);
  /// A bound socket made elsewhere, AF_INET6 (dual stack) or AF_INET. Options of receiving are set here.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>> adopt(host::Fd fd, bool offload);

  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool has_offload() const { return gso_.load(std::memory_order_relaxed); }

  static constexpr std::size_t kMaxSegments = 64;    ///< A message (UDP_MAX_SEGMENTS before Linux 6.9).
  static constexpr std::size_t kMaxMessage = 65000;  ///< Bytes a message; below 65507, IPv4's limit.
  /// Sends all; waits a little for room in the socket's buffer. Returns how many messages the system refused.
  std::size_t send(std::span<const UdpMessage> messages);

  struct Received {
    UdpEndpoint from;
    std::span<std::uint8_t> bytes;  ///< Valid, and may be written, until the next receive().
    std::size_t segment = 0;        ///< Datagrams in `bytes` begin at multiples of it; never 0 unless empty.
  };
  /// What is waiting, at most kBatch messages; empty: nothing. Does not block. `more`: it took as many as it asked for.
  [[nodiscard]] std::span<const Received> receive(bool& more);
  static constexpr std::size_t kBatch = 32;

  [[nodiscard]] std::uint64_t receive_overflows() const { return overflows_.load(std::memory_order_relaxed); }

 private:
  struct Slots;
  UdpSocket(host::Fd fd, bool v6);
  [[nodiscard]] Result<> prepare(bool offload);
  [[nodiscard]] bool send_singly(const UdpMessage& message);

  host::Fd fd_;
  bool v6_ = true;
  std::uint16_t port_ = 0;
  std::atomic<bool> gso_{false};
  std::atomic<std::uint64_t> overflows_{0};  // datagrams that found the receive buffer full (SO_RXQ_OVFL)
  std::unique_ptr<Slots> slots_;
  std::vector<Received> received_;
  std::size_t ask_;  // messages of the next batch: few large ones, so that they stay in the cache, or many small ones
};

}  // namespace bonus::net::device
