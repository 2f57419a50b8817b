// Which own address an endpoint's last datagram came to, for the answers to datagrams that belong to no tunnel.
#pragma once

#include <mutex>
#include <vector>

#include "bonus/net/tunnel/session.hpp"

namespace bonus::net::device {

/// For a minute after it: who has moved to another network may still have the address of the former. Bounded: an
/// endpoint takes the place of another with the same hash, which is then answered from an address of the
/// system's choice. Whoever can forge an endpoint's source address can change what is kept of it until its next
/// datagram; tunnels do not rely on it, their endpoints follow authenticated packets. Thread-safe.
class LocalMemory {
 public:
  void note(const UdpEndpoint& from, const tunnel::LocalAddress& local, Instant now) {
    const std::lock_guard guard(mutex_);
    slots_[slot_of(from)] = {.remote = from, .local = local, .at = now};
  }
  [[nodiscard]] tunnel::LocalAddress find(const UdpEndpoint& to, Instant now) const {
    const std::lock_guard guard(mutex_);
    const Slot& slot = slots_[slot_of(to)];
    return slot.remote == to && now - slot.at < kHold ? slot.local : tunnel::LocalAddress{};
  }
  void forget(const Ipv6& local) {
    const std::lock_guard guard(mutex_);
    for (Slot& slot : slots_) {
      if (slot.local.address == local) slot = {};
    }
  }

 private:
  struct Slot {
    UdpEndpoint remote;
    tunnel::LocalAddress local{};
    Instant at{};
  };
  static constexpr Duration kHold = std::chrono::minutes(1);
  static constexpr std::size_t kSlots = 1024;
  static std::size_t slot_of(const UdpEndpoint& remote) { return std::hash<UdpEndpoint>()(remote) % kSlots; }

  mutable std::mutex mutex_;
  std::vector<Slot> slots_ = std::vector<Slot>(kSlots);
};

}  // namespace bonus::net::device
