// Transport data messages, one at a time.
#include "bonus/net/tunnel/transport.hpp"

#include <sodium.h>

#include <bit>
#include <cstring>

namespace bonus::net::tunnel {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class Integer>
Integer get(const std::uint8_t* in) {
  Integer value;
  std::memcpy(&value, in, sizeof value);
  return value;
}

std::array<std::uint8_t, 12> nonce_of(std::uint64_t counter) {
  std::array<std::uint8_t, 12> nonce{};
  std::memcpy(&nonce[4], &counter, 8);
  return nonce;
}

}  // namespace

std::optional<MessageType> message_type(BytesView datagram) {
  if (datagram.size() < 4 || datagram[1] != 0 || datagram[2] != 0 || datagram[3] != 0) return std::nullopt;
  switch (datagram[0]) {
    case 1:
      if (datagram.size() == kInitiationSize) return MessageType::kInitiation;
      break;
    case 2:
      if (datagram.size() == kResponseSize) return MessageType::kResponse;
      break;
    case 3:
      if (datagram.size() == kCookieReplySize) return MessageType::kCookieReply;
      break;
    case 4:
      if (datagram.size() >= kTransportOverhead) return MessageType::kTransport;
      break;
    default:
      break;
  }
  return std::nullopt;
}

std::uint32_t receiver_index(BytesView datagram) {
  return get<std::uint32_t>(&datagram[datagram[0] == static_cast<std::uint8_t>(MessageType::kResponse) ? 8 : 4]);
}

std::uint64_t transport_counter(BytesView datagram) { return get<std::uint64_t>(&datagram[8]); }

std::optional<Bytes> seal_transport(Session& session, BytesView packet, std::size_t mtu) {
  const auto counter = session.claim(1);
  if (!counter) return std::nullopt;
  const std::size_t rounded = (packet.size() + kPadding - 1) / kPadding * kPadding;
  const std::size_t padded = std::max(packet.size(), std::min(rounded, mtu));
  Bytes out(kTransportOverhead + padded);
  out[0] = static_cast<std::uint8_t>(MessageType::kTransport);
  std::memcpy(&out[4], &session.remote_index, 4);
  std::memcpy(&out[8], &*counter, 8);
  std::ranges::copy(packet, out.begin() + kTransportHeader);
  const auto nonce = nonce_of(*counter);
  crypto_aead_chacha20poly1305_ietf_encrypt(&out[kTransportHeader], nullptr, &out[kTransportHeader], padded, nullptr, 0,
                                            nullptr, nonce.data(), session.send_key.bytes.data());
  return out;
}

Result<Bytes> open_transport(Session& session, BytesView datagram) {
  if (datagram.size() < kTransportOverhead) return fail(ErrorCode::kCorrupt, "transport message is too short");
  const std::uint64_t counter = transport_counter(datagram);
  const auto nonce = nonce_of(counter);
  const BytesView sealed = datagram.subspan(kTransportHeader);
  Bytes out(sealed.size() - kTransportTag);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, sealed.data(), sealed.size(), nullptr, 0,
                                                nonce.data(), session.receive_key.bytes.data()) != 0) {
    return fail(ErrorCode::kCorrupt, "transport message is not authentic");
  }
  if (!session.accept(counter)) return fail(ErrorCode::kExists, "transport message was seen before or is too old");
  return out;
}

Result<std::size_t> trim_packet(BytesView plaintext) {
  if (plaintext.empty()) return std::size_t{0};
  std::size_t length = 0;
  if (plaintext[0] >> 4 == 4 && plaintext.size() >= 20) {
    length = static_cast<std::size_t>(plaintext[2]) << 8 | plaintext[3];
    if (length < 20) length = 0;
  } else if (plaintext[0] >> 4 == 6 && plaintext.size() >= 40) {
    length = (static_cast<std::size_t>(plaintext[4]) << 8 | plaintext[5]) + 40;
  }
  if (length == 0 || length > plaintext.size()) return fail(ErrorCode::kInvalid, "not a whole IP packet");
  return length;
}

std::optional<PacketAddresses> packet_addresses(BytesView packet) {
  PacketAddresses out;
  if (packet.size() >= 20 && packet[0] >> 4 == 4) {
    for (Ipv6* side : {&out.source, &out.destination}) side->bytes[10] = side->bytes[11] = 0xff;
    std::ranges::copy(packet.subspan(12, 4), &out.source.bytes[12]);
    std::ranges::copy(packet.subspan(16, 4), &out.destination.bytes[12]);
    return out;
  }
  if (packet.size() >= 40 && packet[0] >> 4 == 6) {
    std::ranges::copy(packet.subspan(8, 16), out.source.bytes.begin());
    std::ranges::copy(packet.subspan(24, 16), out.destination.bytes.begin());
    // Mapped addresses in an IPv6 header would pass for IPv4 ones; none are allowed on a wire (RFC 4038, section 4.2).
    if (is_ipv4(out.source) || is_ipv4(out.destination)) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

}  // namespace bonus::net::tunnel
