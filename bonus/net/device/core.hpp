// What the engine's threads share: the device behind its lock, the descriptors, the path MTUs, and how actions are
// carried out. Internal to the folder.
#pragma once

#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <deque>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "bonus/net/device/engine.hpp"
#include "bonus/net/device/local_memory.hpp"
#include "bonus/net/tunnel/transport.hpp"

namespace bonus::net::device {

/// One writer, any readers.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

struct Core {
  Core(Tun tun_in, std::unique_ptr<UdpSocket> udp_in, std::unique_ptr<tunnel::Device> device_in,
       const EngineOptions& options_in, EngineHooks& hooks_in, const runtime::Clock& clock_in)
      : tun(std::move(tun_in)),
        udp(std::move(udp_in)),
        device(std::move(device_in)),
        options(options_in),
        hooks(hooks_in),
        clock(clock_in) {}

  Tun tun;
  std::unique_ptr<UdpSocket> udp;
  std::unique_ptr<tunnel::Device> device;
  const EngineOptions options;
  EngineHooks& hooks;
  const runtime::Clock& clock;
  std::atomic<bool> stopping{false};

  struct Ready {
    tunnel::PeerRef peer;
    std::optional<tunnel::Route> route;
    std::vector<Bytes> packets;
  };
  struct Pending {
    tunnel::Actions actions;
    std::vector<Ready> ready;
    std::size_t collected = 0;  // of actions.ready
  };

  // The lock of `device`. Never held while a hook runs or a system call is made.
  mutable std::shared_mutex device_mutex;

  /// Runs fn(device, now, actions) alone, takes out what waited for peers that became ready, wakes the control thread
  /// when a timer became due earlier, and carries out the actions.
  template <class Fn>
  void locked(Fn&& fn) {
    Pending pending;
    locked(pending, fn);
    carry_out(pending);
  }
  /// The two halves apart, for a batch whose datagrams leave together.
  template <class Fn>
  void locked(Pending& pending, Fn&& fn) {
    const std::unique_lock guard(device_mutex);
    fn(*device, clock.now(), pending.actions);
    collect(pending);
  }
  void carry_out(Pending& pending);

  /// Where answers to foreign datagrams leave from.
  LocalMemory locals;
  /// After sending: own addresses that turned out to be gone. Not under the device's lock.
  void forget_vanished();

  /// What an inner packet to or from this peer may measure; at most EngineOptions::mtu.
  [[nodiscard]] std::uint32_t path_mtu(tunnel::PeerRef peer) const;
  void set_path_mtu(tunnel::PeerRef peer, std::optional<std::uint32_t> mtu);
  /// Changes with every set_path_mtu.
  std::atomic<std::uint64_t> mtu_version{0};

  // Work of the control thread.
  struct Handshake {  // types 1 to 3 are small
    tunnel::Endpoint from;
    std::size_t size = 0;
    std::array<std::uint8_t, tunnel::kInitiationSize> bytes;
  };
  struct Incoming {
    tunnel::Endpoint from;
    Bytes bytes;
  };
  /// What does not fit is dropped and counted.
  void push_control(std::span<const Handshake> handshakes);
  /// False: the queue is full.
  bool push_injected(const tunnel::Endpoint& from, BytesView datagram);
  struct Work {
    std::vector<Handshake> control;
    std::vector<Incoming> injected;
    bool timer = false;
    std::size_t backlog = 0;  // handshakes that still wait
  };
  /// Waits for work, a timer, or initiations at the socket. True: there are some of these.
  [[nodiscard]] bool wait_for_work();
  /// What there is, at most `limit` of each queue.
  void take_work(std::size_t limit, Work& work);
  void wake();

  /// Sends what waited for a peer; runs on whichever thread made it ready.
  std::function<void(const tunnel::Route&, std::span<const Bytes>)> send_queued;

  Counter dropped_control, dropped_injected;  // under the queue's lock
  std::atomic<std::uint64_t> dropped_send{0};

 private:
  void collect(Pending& pending);

  mutable std::mutex mtu_mutex_;
  std::unordered_map<std::uint32_t, std::uint32_t> path_mtus_;

  std::mutex queue_mutex_;
  Fd work_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};  // without one the waits are short
  [[nodiscard]] bool has_work() const;                       // under the lock
  // Served in turn, a batch each, so that a flood of one kind delays only its like: answers to what we asked,
  // initiations that carry a cookie (or claim to), and the rest.
  enum Kind : std::size_t { kAnswer, kWithCookie, kInitiation, kKinds };
  [[nodiscard]] static Kind kind_of(const Handshake& handshake);
  std::array<std::deque<Handshake>, kKinds> control_;
  std::deque<Incoming> injected_;
  std::optional<Instant> next_timer_;  // the control thread's
  std::atomic<Instant::rep> planned_wake_{std::numeric_limits<Instant::rep>::max()};
};

}  // namespace bonus::net::device
