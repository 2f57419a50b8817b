// The DHT's messages and their bytes (docs/formats/net_dht.md). They travel sealed: the sender's key is known.
#pragma once

#include <optional>
#include <vector>

#include "bonus/net/kad/types.hpp"
#include "bonus/net/kad/vivaldi.hpp"
#include "bonus/net/record/pointer.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::kad {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kMaxPayload = kMaxDatagram - kSealOverhead;
inline constexpr std::size_t kBucketSize = 16, kNearSlots = 8, kOldSlots = 8, kSiblings = 32;

enum class Type : std::uint8_t {
  kPing = 1,
  kPong = 2,
  kFind = 3,
  kNodes = 4,
  kValue = 5,
  kStore = 6,
  kStored = 7,
  kReach = 8,     ///< "Have somebody whom I never met call me": dial-back.
  kProbe = 9,     ///< "Call this one with this nonce."
  kReached = 10,  ///< The call.
};
enum class Find : std::uint8_t { kNodes = 0, kData = 1, kNear = 2 };
enum class DataKind : std::uint8_t { kRecord = 1, kValue = 2, kPointer = 3 };

/// One table of one epoch.
struct Scope {
  Ring ring = Ring::kGlobal;
  std::uint64_t ring_id = 0;
  std::uint32_t epoch = 0;
  friend bool operator==(const Scope&, const Scope&) = default;
};

/// A contact as told by a third party: nothing of it is proven.
struct Told {
  crypto::X25519Public key;
  UdpEndpoint endpoint;
  Position position = 0;
  PackedCoordinate coordinate;  ///< Its error does not travel.
  friend bool operator==(const Told&, const Told&) = default;
};

/// What binds the sender's tunnel key to a root key, and with it to a position.
struct Proof {
  Ed25519PublicKey root;
  UnixSeconds not_before = 0, expires = 0;
  Ed25519Signature signature;
  std::uint64_t country = 0, metro = 0;  ///< Ring ids; 0: not a member.
};

struct Message {
  Type type = Type::kPing;
  bool serves = false;  ///< The sender may be put into tables.
  bool wants_proof = false;
  std::uint64_t transaction = 0;
  PackedCoordinate coordinate;  ///< The sender's.
  std::uint64_t token = 0;      ///< Request: given by the receiver earlier. Answer: to be shown next time.
  std::optional<UdpEndpoint> observed;
  std::optional<Proof> proof;
  Find find = Find::kNodes;
  Scope scope;
  Hash32 target;          ///< kFind: key of the epoch. kStore of a record: key before epochs.
  std::uint8_t bits = 0;  ///< kNear: leading bits of `target` that count.
  Position position = 0;  ///< kFind: where the sender says it stands in that scope; 0 of a client.
  std::vector<Told> contacts;
  DataKind kind = DataKind::kRecord;
  Bytes data;
  bool accepted = false;      ///< kStored.
  std::uint64_t nonce = 0;    ///< kReach, kProbe, kReached.
  crypto::X25519Public peer;  ///< kProbe.
  UdpEndpoint endpoint;       ///< kProbe.
};

/// At most `budget` bytes: contacts that do not fit are left out, then observed address and proof. `pad_to`: requests
/// are filled with zeros.
[[nodiscard]] Bytes encode(const Message& message, std::size_t budget = kMaxPayload, std::size_t pad_to = 0);
/// kInvalid: version, type, a length, a bound, a padding that is not zero.
[[nodiscard]] Result<Message> decode(BytesView payload);
/// Bytes of a told contact.
[[nodiscard]] std::size_t told_size(const UdpEndpoint& endpoint);

/// The least that a request must have so that any answer to it can be sent: smaller ones are refused.
inline constexpr std::size_t kMinRequest = 28;
/// What a ping is padded to, so that the answer can hold a proof and the observed address.
inline constexpr std::size_t kProofPing = 19 + 8 + 19 + 128;

}  // namespace bonus::net::kad
