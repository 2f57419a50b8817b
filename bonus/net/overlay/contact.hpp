// First contact: from a root key and an endpoint, as a genesis file or the chain names them, to the node's signed
// record with its tunnel key (docs/formats/net_datagram.md). Sans-I/O.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "bonus/net/record/record.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::overlay {

/// The X25519 form of a root key (RFC 7748, the birational map): datagrams of kind kContact are sealed with it, so that
/// a node is reached before anything but its root key is known. kInvalid for a point of low order.
[[nodiscard]] Result<crypto::X25519Public> contact_key(const Ed25519PublicKey& root);
[[nodiscard]] crypto::X25519Secret contact_secret(const crypto::Ed25519KeyPair& root);

struct ContactSend {
  crypto::X25519Public to;  ///< The other's contact key.
  UdpEndpoint endpoint;
  Bytes payload;
};

/// Not thread-safe; one strand drives it.
class ContactFinder {
 public:
  explicit ContactFinder(runtime::Random& random, std::size_t max_targets = 1024);

  /// Our own record, sent along so that the other learns who asks.
  void set_self(BytesView record) { self_.assign(record.begin(), record.end()); }
  /// Asks until an answer comes, with growing pauses. Another endpoint of the same node replaces the former one.
  /// kExhausted; kInvalid for a root key that is none.
  [[nodiscard]] Result<> want(const Ed25519PublicKey& root, const UdpEndpoint& endpoint, Instant now);
  void forget(const Ed25519PublicKey& root);
  /// Asks again although it answered once: its record has not led to it.
  void again(const Ed25519PublicKey& root, Instant now);

  [[nodiscard]] std::vector<ContactSend> on_timer(Instant now);
  /// The question to this node once more, for another way than UDP. Nothing when it is not wanted.
  [[nodiscard]] std::optional<ContactSend> request(const Ed25519PublicKey& root);
  /// A request whose answer nobody waits for: only to show our record.
  [[nodiscard]] Bytes introduction() const { return encode_request(0); }
  [[nodiscard]] std::optional<Instant> next_timer() const;

  struct Answer {
    Bytes record;
    UdpEndpoint endpoint;
  };
  /// An opened kContact payload that answers us. kDenied: nothing was asked of this key. kInvalid. The record is not
  /// checked here beyond its size; its root key must be `root_of(from)`.
  [[nodiscard]] Result<Answer> on_reply(const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                                        BytesView payload, Instant now);
  [[nodiscard]] std::optional<Ed25519PublicKey> root_of(const crypto::X25519Public& contact) const;

  struct Request {
    Bytes record;  ///< Of who asks, unchecked; may be empty.
    Bytes reply;   ///< To be sealed with our contact key; never longer than the request.
  };
  /// A request for our record. kInvalid: malformed, or shorter than the answer.
  [[nodiscard]] Result<Request> on_request(BytesView payload) const;
  [[nodiscard]] static bool is_request(BytesView payload) { return payload.size() > 1 && payload[1] == 1; }

 private:
  struct Target {
    crypto::X25519Public key;
    UdpEndpoint endpoint;
    std::uint64_t request = 0;
    Instant next;
    Duration pause{};
    bool answered = false;
  };
  [[nodiscard]] ContactSend ask(Target& target);
  [[nodiscard]] Bytes encode_request(std::uint64_t id) const;
  runtime::Random& random_;
  std::size_t limit_;
  Bytes self_;
  std::map<Ed25519PublicKey, Target> targets_;
  std::map<crypto::X25519Public, Ed25519PublicKey> by_key_;
};

/// "Whose is this address?": asked of a relay by a node that cannot take part in the DHT, as its network blocks UDP.
struct FindQuestion {
  std::uint64_t id = 0;
  Ipv6 address;
};
[[nodiscard]] Bytes encode_find(const FindQuestion& question);
[[nodiscard]] std::optional<FindQuestion> decode_find(BytesView payload);
/// `record` empty: nobody's, as far as the relay could find out. `container`: the id that the address follows from,
/// where the record does not name it; else empty. (Older nodes do not read such answers.)
struct FindAnswer {
  std::uint64_t id = 0;
  Bytes record;
  Bytes container = {};
};
[[nodiscard]] Bytes encode_found(const FindAnswer& answer);
[[nodiscard]] std::optional<FindAnswer> decode_found(BytesView payload);

}  // namespace bonus::net::overlay
