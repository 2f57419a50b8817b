// Inbound: messages of the socket, cut into datagrams, decrypted in place, checked, coalesced and written to the TUN.
// Internal to the folder.
#pragma once

#include "bonus/net/device/cipher.hpp"
#include "bonus/net/device/core.hpp"

namespace bonus::net::device {

/// One a thread.
class Receiver {
 public:
  explicit Receiver(Core& core);
  struct Message {
    tunnel::Endpoint from;
    std::span<std::uint8_t> bytes;  ///< Written to.
    std::size_t segment = 0;        ///< Datagrams begin at multiples of it; not 0.
  };
  /// One batch. Control first, then bulk; everything is with the TUN on return.
  void receive(std::span<const Message> messages, Instant now);
  /// Lets go of sessions that have ended, and their keys.
  void forget_ended(Instant now);

  struct Counters {
    Counter packets, bytes, writes, unknown_session, authentication, replay, source, malformed, refused, foreign,
        control;
  };
  Counters counters;

 private:
  struct Entry {  // of the session cache, valid while both versions are the current ones
    std::uint32_t index = 0;
    std::shared_ptr<tunnel::Session> session;
    std::optional<Ipv6> source;  // one that the peer may use
    Instant foreign;             // not before this one is reported that it may not use
    std::uint32_t mtu = 0;
    std::uint64_t version = 0, mtu_version = 0;
    bool used = false;
  };
  // Datagrams in a row of one session from one endpoint.
  struct Run {
    Entry* entry = nullptr;
    tunnel::Endpoint from;
    std::uint64_t bytes = 0;
  };
  [[nodiscard]] bool serve_control(const Message& message, Instant now);
  void decrypt(const Message& message, Instant now);
  [[nodiscard]] Entry* find(std::uint32_t index, Instant now);
  void finish(Run& run, Instant now);
  [[nodiscard]] bool may_come_from(Entry& entry, const Ipv6& source);

  Core& core_;
  PacketCipher cipher_;
  Coalescer coalescer_;
  std::vector<Entry> cache_;
  std::vector<Core::Handshake> handshakes_;
  std::vector<std::uint64_t> run_counters_;
  std::vector<std::span<std::uint8_t>> run_plain_;
  std::unique_ptr<bool[]> run_fresh_;
};

}  // namespace bonus::net::device
