// One transport data message at a time (WireGuard whitepaper, section 5.4.6): for keepalives, tests and slow paths. The
// data path of net/device does the same in batches.
#pragma once

#include "bonus/net/tunnel/session.hpp"

namespace bonus::net::tunnel {

enum class MessageType : std::uint8_t { kInitiation = 1, kResponse = 2, kCookieReply = 3, kTransport = 4 };
inline constexpr std::size_t kInitiationSize = 148, kResponseSize = 92, kCookieReplySize = 64;
inline constexpr std::size_t kTransportHeader = 16, kTransportTag = 16, kTransportOverhead = 32;
inline constexpr std::size_t kPadding = 16;  ///< Plaintexts are padded with zeros to a multiple, not beyond the MTU.

/// The type when the first four bytes are a WireGuard header (reserved bytes zero) and the size fits the type.
[[nodiscard]] std::optional<MessageType> message_type(BytesView datagram);
/// "Receiver" of a response, cookie reply or transport message; the datagram passed message_type().
[[nodiscard]] std::uint32_t receiver_index(BytesView datagram);
/// Counter of a transport message.
[[nodiscard]] std::uint64_t transport_counter(BytesView datagram);

/// Claims a counter and encrypts; an empty packet is a keepalive. Nothing when the session is used up.
/// `mtu` bounds the padding.
[[nodiscard]] std::optional<Bytes> seal_transport(Session& session, BytesView packet, std::size_t mtu = 65535);
/// Decrypts and marks the counter. The plaintext still has its padding (trim_packet). kCorrupt: not authentic; kExists:
/// a replay.
[[nodiscard]] Result<Bytes> open_transport(Session& session, BytesView datagram);
/// Length of the IP packet at the start of a plaintext by its own header; 0 for a keepalive. kInvalid: not IP, or
/// longer than the plaintext.
[[nodiscard]] Result<std::size_t> trim_packet(BytesView plaintext);
/// Inner addresses of an IPv4 or IPv6 packet (mapped); nothing when it is too short, neither, or IPv6
/// with mapped IPv4 addresses.
struct PacketAddresses {
  Ipv6 source, destination;
};
[[nodiscard]] std::optional<PacketAddresses> packet_addresses(BytesView packet);

}  // namespace bonus::net::tunnel
