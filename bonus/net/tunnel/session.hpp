// A session: the keys and counters that one handshake made. Shared between the device core and the data path of the
// shell (net/device), which encrypts and decrypts with it in batches, without the core's lock.
#pragma once

#include <atomic>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/net/tunnel/replay.hpp"

namespace bonus::net::tunnel {

/// Constants of the protocol (WireGuard whitepaper, section 6.1).
inline constexpr Duration kRekeyAfterTime = std::chrono::seconds(120), kRejectAfterTime = std::chrono::seconds(180),
                          kRekeyAttemptTime = std::chrono::seconds(90), kRekeyTimeout = std::chrono::seconds(5),
                          kKeepaliveTimeout = std::chrono::seconds(10), kCookieLifetime = std::chrono::seconds(120);
inline constexpr std::uint64_t kRekeyAfterMessages = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kRejectAfterMessages = std::numeric_limits<std::uint64_t>::max() - (1u << 13);

/// A peer of a Device. Never reused by it; kNoPeer names none.
enum class PeerRef : std::uint32_t {};
inline constexpr PeerRef kNoPeer{0};

/// The own address that a datagram came to, and that the answer leaves from: a NAT or firewall before the other side
/// lets nothing else in. Zero: the system chooses.
struct LocalAddress {
  Ipv6 address;
  std::uint32_t interface = 0;  ///< Index; of link-local addresses only.
  friend bool operator==(const LocalAddress&, const LocalAddress&) = default;
  [[nodiscard]] bool known() const { return !address.is_zero(); }
};

/// Where datagrams of a peer go to.
struct Endpoint {
  UdpEndpoint udp;
  std::uint32_t via = 0;  ///< 0: the UDP socket. Otherwise a relay channel of the shell, which `udp` may then name.
  LocalAddress local{};
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  [[nodiscard]] bool valid() const { return via != 0 || udp.valid(); }
  [[nodiscard]] bool same_place(const Endpoint& other) const { return udp == other.udp && via == other.via; }
  /// For a quick "is it still the same"; never zero.
  [[nodiscard]] std::uint64_t tag() const {
    const std::uint64_t own = local.known() ? std::hash<Ipv6>()(local.address) + local.interface : 0;
    return ((std::hash<UdpEndpoint>()(udp) * 0x9e3779b97f4a7c15ull + via) ^ (own * 0xff51afd7ed558ccdull)) | 1;
  }
};

/// What the data path saw of one peer, shared by the peer's sessions; the core's timers read it. All relaxed atomics:
/// the core re-reads whatever it acts upon.
struct PeerActivity {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
  std::atomic<std::int64_t> unanswered_receive{kNever};  ///< First data received since anything was sent.
  std::atomic<std::int64_t> unanswered_send{kNever};     ///< First data sent since anything was received.
  std::atomic<std::int64_t> last_any{kNever};            ///< Last authenticated packet either way.
  std::atomic<bool> watched{false};                      ///< The core has a timer that will look here within 10 s.
  std::atomic<std::uint64_t> endpoint_tag{0};            ///< Of the endpoint that the core last agreed to.
  std::atomic<std::uint64_t> sent_bytes{0}, received_bytes{0}, sent_packets{0}, received_packets{0};
};

/// Thread-safe after construction: constants, atomics and a replay window with its own lock. shared_ptr: a batch in
/// flight keeps the keys while the core already replaced the session. The keys are wiped with the last reference.
struct Session {
  Session() = default;
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Constant once the core hands the session out.
  crypto::X25519Public peer_key;
  PeerRef peer = kNoPeer;
  std::uint32_t local_index = 0;   ///< "Receiver" of the packets that come in.
  std::uint32_t remote_index = 0;  ///< "Receiver" of the packets that go out.
  Hash32 send_key, receive_key;    ///< ChaCha20-Poly1305; nonce = 4 zero bytes || counter, little-endian.
  Instant created;
  bool is_initiator = false;
  std::uint64_t rekey_after = kRekeyAfterMessages, reject_after = kRejectAfterMessages;
  std::shared_ptr<PeerActivity> activity;

  std::atomic<std::uint64_t> send_counter{0};
  /// The responder may not send before the initiator proved that it has the keys: its first packet.
  std::atomic<bool> confirmed{false};

  /// Past it nothing may be sent or accepted. Ask once a batch.
  [[nodiscard]] bool expired(Instant now) const { return now - created >= kRejectAfterTime; }
  [[nodiscard]] bool may_send(Instant now) const {
    return confirmed.load(std::memory_order_acquire) && !expired(now) &&
           send_counter.load(std::memory_order_relaxed) < reject_after;
  }
  /// Reserves `count` consecutive counters and returns the first; nothing when the session is used up.
  [[nodiscard]] std::optional<std::uint64_t> claim(std::uint64_t count) {
    std::uint64_t first = send_counter.load(std::memory_order_relaxed);
    do {
      if (first >= reject_after || reject_after - first < count) return std::nullopt;
    } while (!send_counter.compare_exchange_weak(first, first + count, std::memory_order_relaxed));
    return first;
  }
  /// After authentication only. False: a replay, too old, or past the limit; drop the packet.
  [[nodiscard]] bool accept(std::uint64_t counter) {
    const std::lock_guard guard(replay_mutex_);
    return counter < reject_after && replay_.accept(counter);
  }
  /// The same for a batch under one lock; ok[i] says it of counters[i]. Spans of one length. Returns how many are ok.
  std::size_t accept(std::span<const std::uint64_t> counters, std::span<bool> ok) {
    const std::lock_guard guard(replay_mutex_);
    std::size_t good = 0;
    for (std::size_t i = 0; i < counters.size(); ++i) {
      ok[i] = counters[i] < reject_after && replay_.accept(counters[i]);
      good += ok[i] ? 1 : 0;
    }
    return good;
  }

  /// Once a batch, after `packets` were encrypted and handed to the network. `data`: at least one was not a keepalive.
  /// True: call Device::on_sent under the device's lock, it wants to rekey or to arm a timer. Lock-free.
  [[nodiscard]] bool note_sent(Instant now, std::uint64_t packets, std::uint64_t bytes, bool data);
  /// Once a batch of authenticated, not replayed packets from one source. True: call Device::on_received under the
  /// lock: first packet of a responder's session, new source, a rekey or timer is due. Lock-free.
  [[nodiscard]] bool note_received(Instant now, const Endpoint& from, std::uint64_t packets, std::uint64_t bytes,
                                   bool data);

  /// Section 6.2: after so many messages either side, after so long the initiator only (or both would start).
  [[nodiscard]] bool rekey_due_sending(Instant now) const {
    return send_counter.load(std::memory_order_relaxed) > rekey_after ||
           (is_initiator && now - created > kRekeyAfterTime);
  }
  /// The last chance of an initiator that only receives.
  [[nodiscard]] bool rekey_due_receiving(Instant now) const {
    return is_initiator && now - created > kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout;
  }

 private:
  [[nodiscard]] bool ask_rekey(Instant now);
  std::mutex replay_mutex_;
  ReplayWindow replay_;
  std::atomic<std::int64_t> rekey_asked_{PeerActivity::kNever};
};

}  // namespace bonus::net::tunnel
