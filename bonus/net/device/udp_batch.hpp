// A UDP socket for bulk: many datagrams a system call by recvmmsg and sendmmsg, many datagrams a message by UDP_GRO and
// UDP_SEGMENT (Linux Documentation/networking/segmentation-offloads.rst).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/net/tunnel/session.hpp"

namespace bonus::net::device {

struct UdpOptions {
  Ipv6 bind;               ///< Zero: all addresses of both families.
  std::uint16_t port = 0;  ///< 0: any.
  bool offload = true;     ///< UDP_SEGMENT and UDP_GRO.
  int buffer_bytes =
      7 << 20;             ///< Of each direction; the kernel may clamp it (net.core.rmem_max without CAP_NET_ADMIN).
  std::uint32_t mark = 0;  ///< SO_MARK; 0: none.
  bool reuse_port = false;
  /// Datagrams that begin with 1 (WireGuard initiations) arrive apart from the rest: receive_initiations(). Without
  /// effect beside reuse_port and where the kernel refuses.
  bool split = true;
};

/// Several datagrams of `segment` bytes, the last possibly shorter, to one endpoint.
struct UdpMessage {
  UdpEndpoint to;
  BytesView bytes;
  std::size_t segment = 0;       ///< 0: one datagram.
  tunnel::LocalAddress local{};  ///< To leave from, while the machine has it.
};

/// Sending is thread-safe; receiving belongs to one thread.
class UdpSocket {
 public:
  /// kDenied, kConflict (the port is taken), kIo. IPv4 alone where the machine has no IPv6.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>> open(const UdpOptions& options);
  /// A bound socket made elsewhere, AF_INET6 (dual stack) or AF_INET. Options of receiving are set here.
  [[nodiscard]] static Result<std::unique_ptr<UdpSocket>> adopt(Fd fd, bool offload);

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
  /// An own address that messages should have left from and that is gone; they left from one of the system's choice.
  /// Each is told once. Thread-safe; cheap when there is none.
  [[nodiscard]] std::optional<Ipv6> take_vanished();

  struct Received {
    UdpEndpoint from;
    std::span<std::uint8_t> bytes;  ///< Valid, and may be written, until the next receive().
    std::size_t segment = 0;        ///< Datagrams in `bytes` begin at multiples of it; never 0 unless empty.
    tunnel::LocalAddress local;     ///< What they were sent to; unknown for multicast.
  };
  /// What is waiting, at most kBatch messages; empty: nothing. Does not block. `more`: it took as many as it asked for.
  [[nodiscard]] std::span<const Received> receive(bool& more);
  static constexpr std::size_t kBatch = 32;

  /// The descriptor to wait at for initiations; -1: they come with the rest. A flood of them does not wake who waits
  /// for bulk, and cannot fill its buffer. Belongs to one thread, which need not be receive()'s. Where the kernel had
  /// put datagrams of other kinds together with an initiation, they come here, too.
  [[nodiscard]] int initiations_fd() const { return initiations_.get(); }
  [[nodiscard]] std::span<const Received> receive_initiations(bool& more);

  [[nodiscard]] std::uint64_t receive_overflows() const { return overflows_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t initiation_overflows() const {
    return initiation_overflows_.load(std::memory_order_relaxed);
  }

 private:
  struct Slots;
  UdpSocket(Fd fd, bool v6);
  [[nodiscard]] Result<> prepare(bool offload);
  void split(const UdpEndpoint& bound);
  // recvmmsg of at most `ask` messages; how many it took, and their bytes.
  static std::pair<std::size_t, std::size_t> take(int fd, std::size_t ask, Slots& slots,
                                                  std::vector<Received>& received,
                                                  std::atomic<std::uint64_t>& overflows);
  [[nodiscard]] bool has_family_of(const UdpEndpoint& to) const { return v6_ || is_ipv4(to.address); }
  [[nodiscard]] bool send_singly(const UdpMessage& message);
  void note_vanished(const Ipv6& address);

  Fd fd_;
  bool v6_ = true;
  std::uint16_t port_ = 0;
  std::atomic<bool> gso_{false};
  std::atomic<bool> any_vanished_{false};
  std::mutex vanished_mutex_;
  std::vector<Ipv6> vanished_;
  std::atomic<std::uint64_t> overflows_{0};  // datagrams that found the buffer full (SO_RXQ_OVFL)
  std::unique_ptr<Slots> slots_;
  std::vector<Received> received_;
  std::size_t ask_;  // messages of the next batch: few large ones, so that they stay in the cache, or many small ones

  Fd initiations_;
  std::atomic<std::uint64_t> initiation_overflows_{0};
  std::unique_ptr<Slots> initiation_slots_;
  std::vector<Received> initiations_received_;
};

}  // namespace bonus::net::device
