// Payloads of kRelay datagrams, between a relay and its clients (docs/formats/net_path.md).
#pragma once

#include <variant>

#include "bonus/net/nat/path_message.hpp"

namespace bonus::net::nat {

inline constexpr std::uint8_t kRelayVersion = 1;

enum class RelayMessage : std::uint8_t {
  kRegister = 1,
  kChallenge = 2,
  kRegistered = 3,
  kRefused = 4,
  kKeep = 5,
  kOpen = 6,
  kOffer = 7,
  kAccept = 8,
  kOpened = 9,
  kClose = 10,
};
enum class RelayRefusal : std::uint8_t {
  kFull = 1,        ///< No room for more clients or channels.
  kNotClient = 2,   ///< The asking node must register (again).
  kNoPeer = 3,      ///< The peer is not registered here.
  kPermission = 4,  ///< A signature, date or record does not hold.
  kDeclined = 5,    ///< The peer does not want it.
};

/// Client to relay. The cookie of a challenge shows that the client answers at its address.
struct Register {
  std::uint64_t id = 0, cookie = 0;
  Bytes record;
};
struct Challenge {
  std::uint64_t id = 0, cookie = 0;
};
struct Registered {
  std::uint64_t id = 0;
  UdpEndpoint observed;
  std::uint16_t lifetime_s = 0;
};
struct Refused {
  std::uint64_t id = 0;  ///< Of a registration, or the nonce of an opening.
  RelayRefusal why = RelayRefusal::kFull;
};
struct Keep {
  std::uint64_t id = 0;
};
/// One end's half of the permission; relay to the other end as an Offer with the asking end's record.
struct Open {
  crypto::X25519Public peer;
  std::uint64_t nonce = 0;
  UnixSeconds expires = 0;
  Ed25519Signature signature;
};
struct Offer {
  std::uint64_t nonce = 0;
  UnixSeconds expires = 0;
  Ed25519Signature signature;
  Bytes record;
};
struct Accept {
  crypto::X25519Public peer;
  std::uint64_t nonce = 0;
  bool declined = false;
  Ed25519Signature signature;
};
struct Opened {
  crypto::X25519Public peer;
  std::uint64_t nonce = 0, token = 0;
  UnixSeconds expires = 0;
};
struct Close {
  std::uint64_t token = 0;
};

using AnyRelayMessage =
    std::variant<Register, Challenge, Registered, Refused, Keep, Open, Offer, Accept, Opened, Close>;
[[nodiscard]] Bytes encode(const Register& m);
[[nodiscard]] Bytes encode(const Challenge& m);
[[nodiscard]] Bytes encode(const Registered& m);
[[nodiscard]] Bytes encode(const Refused& m);
[[nodiscard]] Bytes encode(const Keep& m);
[[nodiscard]] Bytes encode(const Open& m);
[[nodiscard]] Bytes encode(const Offer& m);
[[nodiscard]] Bytes encode(const Accept& m);
[[nodiscard]] Bytes encode(const Opened& m);
[[nodiscard]] Bytes encode(const Close& m);
/// kInvalid; kUnsupported for another version or an unknown type.
[[nodiscard]] Result<AnyRelayMessage> decode_relay(BytesView payload);

}  // namespace bonus::net::nat
