// The data path: TUN <-> tunnel::Device <-> UDP. One thread moves packets out, one in, one serves handshakes and
// timers; bulk is encrypted in batches where it is read, so that a packet stays in one core's cache.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "bonus/net/device/tun.hpp"
#include "bonus/net/device/udp_batch.hpp"
#include "bonus/net/tunnel/device.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::device {

struct EngineOptions {
  std::uint32_t mtu = 1420;         ///< Of the TUN: bounds padding and, until set_path_mtu, inner packets.
  bool clamp_mss = true;            ///< TCP SYNs in both directions, to the peer's path MTU.
  std::size_t max_control = 4096;   ///< Handshake datagrams that wait; more are dropped and counted.
  std::size_t max_injected = 4096;  ///< Datagrams of relays that wait.
  /// Above this many waiting handshake datagrams the device asks for cookies.
  std::size_t under_load_control = 64;
  /// Keys of ended sessions stay with the threads for at most twice as long (WireGuard whitepaper, section 6.3: nothing
  /// of old packets can be read by who takes the machine later).
  Duration forget_keys_after = std::chrono::seconds(30);
  /// Of the control thread, where the process may (CAP_SYS_NICE): its work is bounded, and a machine full of containers
  /// or a flow at full speed must not keep new sessions out.
  int control_nice = -10;
};

/// What the node hears of the data path. Called on engine threads and without the device's lock, by several threads at
/// once: be quick, post elsewhere, do not call stop().
class EngineHooks {
 public:
  virtual ~EngineHooks() = default;
  /// First byte not 1 to 4 (BonusNet's own datagrams, STUN). Receiving thread. Handed over before the bulk of a batch.
  virtual void on_foreign_datagram(const UdpEndpoint& /*from*/, BytesView /*datagram*/) {}
  /// Datagrams for an Endpoint with via != 0. The views end with the call.
  virtual void send_via(const tunnel::Endpoint& /*to*/, std::span<const BytesView> /*datagrams*/) {}
  virtual void on_event(const tunnel::Event& /*event*/) {}
  /// A packet of a peer was dropped, as its inner source is no address of the peer's, but one of the overlay. At most
  /// four a second of each session. Receiving thread.
  virtual void on_foreign_source(tunnel::PeerRef /*peer*/, const Ipv6& /*source*/) {}
  /// A peer has a session to send on now; its queue has been sent already.
  virtual void on_session_ready(tunnel::PeerRef /*peer*/) {}
};

/// Since the start; all of them only grow.
struct EngineStats {
  std::uint64_t sent_packets = 0, sent_bytes = 0;          ///< Inner packets that left, and their bytes.
  std::uint64_t received_packets = 0, received_bytes = 0;  ///< Inner packets given to the TUN.
  std::uint64_t tun_reads = 0, tun_writes = 0, udp_sends = 0, udp_receives = 0;  ///< System calls that moved something.
  std::uint64_t dropped_unknown_session = 0;  ///< Transport data of no session, or of an expired one.
  std::uint64_t dropped_authentication = 0;   ///< Transport data that does not decrypt.
  std::uint64_t dropped_replay = 0;
  std::uint64_t dropped_source = 0;      ///< The inner source is not the session's peer.
  std::uint64_t dropped_malformed = 0;   ///< Not an IP packet inside; a datagram too short; a broken virtio header.
  std::uint64_t dropped_no_session = 0;  ///< Outbound: the destination has no session now (kept by the device or not).
  std::uint64_t dropped_control = 0, dropped_injected = 0;  ///< Their queue, or the socket's, was full.
  std::uint64_t dropped_send = 0;                           ///< Messages that the UDP socket refused.
  std::uint64_t dropped_tun = 0;                            ///< Packets that the TUN refused.
  std::uint64_t packet_too_big = 0;                         ///< Inner packets above the path's MTU.
  std::uint64_t foreign_datagrams = 0, control_datagrams = 0, receive_overflows = 0;
};

/// All calls are thread-safe. Descriptors may belong to different network namespaces than the calling thread.
class Engine {
 public:
  /// Takes everything over and starts the threads. `hooks`, `clock` outlive the engine. Both descriptors stay open
  /// until the engine is destroyed. kIo.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> start(Tun tun, std::unique_ptr<UdpSocket> udp,
                                                             std::unique_ptr<tunnel::Device> device,
                                                             const EngineOptions& options, EngineHooks& hooks,
                                                             const runtime::Clock& clock);
  ~Engine();  ///< stop().
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Ends the threads and waits for them. What is in the TUN's queue stays there. Not from a hook.
  void stop();

  /// Runs `fn` under the device's lock, alone, then carries out what it put into the actions. Do not call the engine
  /// from `fn`.
  void with_device(const std::function<void(tunnel::Device&, Instant now, tunnel::Actions&)>& fn);
  /// Runs `fn` under the lock shared with other readers.
  void read_device(const std::function<void(const tunnel::Device&, Instant now)>& fn) const;

  /// Sends one control datagram at once, past all bulk; from the own address that the last foreign datagram of `to`
  /// came to. kIo: refused.
  [[nodiscard]] Result<> send_datagram(const UdpEndpoint& to, BytesView datagram);
  /// A WireGuard datagram that came in through relay channel `via`; handled on the control thread. False: not one
  /// (type 1 to 4 and its size), or the queue of data is full.
  bool inject(std::uint32_t via, const UdpEndpoint& from, BytesView datagram);
  /// Puts an inner IP packet into the TUN as if it had come from a peer (replies of the node itself). False: refused.
  bool inject_inner(BytesView packet);

  /// The greatest inner packet for this peer (at least 1280; above EngineOptions::mtu has no effect). Larger ones are
  /// answered with Packet Too Big.
  void set_path_mtu(tunnel::PeerRef peer, std::uint32_t mtu);
  void clear_path_mtu(tunnel::PeerRef peer);

  [[nodiscard]] std::uint16_t local_port() const;
  [[nodiscard]] const std::string& tun_name() const;
  [[nodiscard]] EngineStats stats() const;

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::net::device
