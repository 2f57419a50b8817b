// Payloads of kPath datagrams (docs/formats/net_path.md).
#pragma once

#include <variant>

#include "bonus/net/nat/actions.hpp"
#include "bonus/net/record/record.hpp"

namespace bonus::net::nat {

inline constexpr std::uint8_t kPathVersion = 1;
inline constexpr std::size_t kMaxPathPayload = kMaxDatagram - kSealOverhead;  ///< Except probes of the MTU.
inline constexpr std::size_t kMinProbePayload = 40;                           ///< An Ack without a record fits in it.
inline constexpr std::size_t kMaxIntroduced = 6;
inline constexpr std::size_t kWireGuardOverhead = 32;  ///< Header 16 and tag 16 of a transport message.

enum class PathMessage : std::uint8_t {
  kProbe = 1,
  kAck = 2,
  kConfirm = 3,
  kRendezvous = 4,
  kIntroduce = 5,
  kUnknown = 6,
  kSpray = 7,
};

/// "Do you answer there?" Padded: an answer is never larger.
struct Probe {
  bool want_record = false;  ///< The answer may carry the responder's record if it fits.
  bool roamed = false;       ///< The sender's address has changed: the old one is void.
  std::uint64_t id = 0;
  std::uint64_t sequence = 0;  ///< Of the sender's record.
  Bytes record;                ///< May be empty.
  std::size_t size = 0;        ///< Of the whole payload; on decoding, as it came.
};
/// The answer; asks back itself, so that three datagrams prove the path to both.
struct Ack {
  bool need_record = false;     ///< The responder does not know the prober's record (of this sequence).
  std::uint64_t id = 0;         ///< Of the probe.
  std::uint64_t challenge = 0;  ///< To be confirmed; zero: nothing is asked.
  UdpEndpoint observed;         ///< Where the probe came from.
  std::uint16_t size = 0;       ///< Of the probe's payload.
  Bytes record;
};
struct Confirm {
  bool roamed = false;
  bool need_record = false;  ///< As in Ack: the prober does not know the responder's record.
  std::uint64_t challenge = 0;
  UdpEndpoint observed;
};
/// To a node that knows both: "introduce me to target". Padded: what it causes is not larger.
struct Rendezvous {
  bool reply = false;
  crypto::X25519Public target;
  std::uint64_t nonce = 0;
  NatKind nat = NatKind::kUnknown;
  std::vector<UdpEndpoint> endpoints;  ///< At most kMaxIntroduced.
};
/// From the rendezvous: `origin` waits for probes from you, and sends some.
struct Introduce {
  bool reply = false;
  crypto::X25519Public origin;
  std::uint64_t nonce = 0;
  NatKind nat = NatKind::kUnknown;
  UdpEndpoint attested;  ///< Where the rendezvous itself reaches `origin`; zero: only through a link.
  std::vector<UdpEndpoint> endpoints;
};
struct Unknown {
  crypto::X25519Public target;
  std::uint64_t nonce = 0;
};
/// End to end on a relayed path: birthday probing is about to start.
struct Spray {
  bool accept = false;
  std::uint64_t nonce = 0;
};

using AnyPathMessage = std::variant<Probe, Ack, Confirm, Rendezvous, Introduce, Unknown, Spray>;
[[nodiscard]] Bytes encode(const Probe& m);  ///< Padded to `size` and at least kMinProbePayload.
[[nodiscard]] Bytes encode(const Ack& m);
[[nodiscard]] Bytes encode(const Confirm& m);
[[nodiscard]] Bytes encode(const Rendezvous& m);
[[nodiscard]] Bytes encode(const Introduce& m);
[[nodiscard]] Bytes encode(const Unknown& m);
[[nodiscard]] Bytes encode(const Spray& m);
/// kInvalid; kUnsupported for another version or an unknown type. Bytes behind the fields are ignored (padding).
[[nodiscard]] Result<AnyPathMessage> decode_path(BytesView payload);

}  // namespace bonus::net::nat
